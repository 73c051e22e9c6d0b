#if Plugins
    import ArgumentParser
    import CommandLineSupport
    import Dramatiq
    import Foundation

    /// `dramatiq-workflow dead-letters`.
    struct DeadLettersCommand: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "dead-letters",
            abstract: "Look after messages that could not be processed, on a Redis server.",
            subcommands: [List.self, Show.self, Requeue.self, Purge.self],
            defaultSubcommand: List.self
        )

        /// `dramatiq-workflow dead-letters list`.
        struct List: AsyncParsableCommand {
            static let configuration = CommandConfiguration(abstract: "List dead letters, oldest first.")

            @OptionGroup var options: DeadLetterOptions

            @Option(
                parsing: .unconditional,
                help: ArgumentHelp("How many to leave out.", valueName: "number"),
                transform: BoundedNumber(0...1_000_000_000).read)
            var offset = 0

            @Option(
                parsing: .unconditional,
                help: ArgumentHelp("How many to list at most.", valueName: "number"),
                transform: BoundedNumber(1...1_000_000_000).read)
            var limit = 50

            func run() async throws {
                let console = Console()
                try await options.server.withOperations { operations, decoder in
                    let letters = try await operations.deadLetters(
                        queue: options.queue, offset: offset, limit: limit)
                    if options.server.json {
                        for letter in letters { console.writeLine(DeadLettersCommand.json(letter, decoder)) }
                        return
                    }
                    let count = try await operations.deadLetterCount(queue: options.queue)
                    for line in DeadLettersCommand.text(letters, decoder, now: Date()) {
                        console.writeLine(line)
                    }
                    if letters.count < count { console.writeLine("\(letters.count) of \(count) dead letters") }
                }
                try await console.flush()
            }
        }

        /// `dramatiq-workflow dead-letters show`.
        struct Show: AsyncParsableCommand {
            static let configuration = CommandConfiguration(abstract: "Show one dead letter with its message.")

            @OptionGroup var options: DeadLetterOptions

            @Argument(help: "The id of a dead letter, as listed.")
            var id: String

            func run() async throws {
                let console = Console()
                try await options.server.withOperations { operations, decoder in
                    let letter = try await operations.deadLetter(id, queue: options.queue)
                    let lines =
                        options.server.json
                        ? [DeadLettersCommand.json(letter, decoder)] : DeadLettersCommand.details(letter, decoder)
                    for line in lines { console.writeLine(line) }
                }
                try await console.flush()
            }
        }

        /// `dramatiq-workflow dead-letters requeue`.
        struct Requeue: AsyncParsableCommand {
            static let configuration = CommandConfiguration(
                abstract: "Put dead letters back into their queue, to be processed again with all their retries.",
                discussion: """
                    What can't be read here, such as with a dictionary, goes back as it is. Those that are not there are \
                    named, and the exit code is 1 then.
                    """)

            @OptionGroup var options: DeadLetterOptions
            @OptionGroup var selection: DeadLetterSelection

            func run() async throws {
                let outcome = try await options.server.withOperations { operations, decoder in
                    await selection.apply {
                        try await operations.requeueDeadLetters(queue: options.queue, encoder: decoder, where: nil)
                    } toEach: { id in
                        try await operations.requeueDeadLetter(id, queue: options.queue, encoder: decoder)
                    }
                }
                try await outcome.tell("requeued", isJSON: options.server.json, on: Console())
            }
        }

        /// `dramatiq-workflow dead-letters purge`.
        struct Purge: AsyncParsableCommand {
            static let configuration = CommandConfiguration(
                abstract: "Remove dead letters for good; asks first.",
                discussion: """
                    Those that are not there are named. The exit code is 1 then, and if the answer was no.
                    """)

            @OptionGroup var options: DeadLetterOptions
            @OptionGroup var selection: DeadLetterSelection

            @OptionGroup var confirmation: Confirmation

            func run() async throws {
                try await run(Console(), answer: Confirmation.readAnswer)
            }

            /// - Parameter answer: gets a line from whoever is asked; `nil` if there is nobody.
            func run(_ console: Console, answer: () async throws -> String?) async throws {
                let outcome = try await options.server.withOperations { operations, _ in
                    let count =
                        selection.all
                        ? try await operations.deadLetterCount(queue: options.queue) : selection.distinct.count
                    let noun = count == 1 ? "dead letter" : "dead letters"
                    try await confirmation.ask(
                        "Remove \(count) \(noun) of queue \(options.queue) for good?", on: console, answer: answer)
                    return await selection.apply {
                        try await operations.removeDeadLetters(queue: options.queue, where: nil)
                    } toEach: { id in
                        try await operations.removeDeadLetter(id, queue: options.queue)
                    }
                }
                try await outcome.tell("removed", isJSON: options.server.json, on: console)
            }
        }
    }

    extension DeadLettersCommand {
        static func text(_ letters: [DeadLetter], _ decoder: any MessageEncoder, now: Date) -> [String] {
            guard !letters.isEmpty else { return ["There are no dead letters."] }
            var table = TextTable(heading: ["ID", "AGE", "MESSAGE", "REASON"])
            for letter in letters {
                let message = read(letter, decoder) { $0.description }
                table.add([
                    PrintableText.escape(letter.id),
                    Age(from: letter.timestamp, to: now)?.description ?? "-",
                    PrintableText.escape(message, limit: 60),
                    PrintableText.escape(letter.reason, limit: 100),
                ])
            }
            return table.lines
        }

        static func details(_ letter: DeadLetter, _ decoder: any MessageEncoder) -> [String] {
            [
                "id      " + PrintableText.escape(letter.id),
                "queue   " + PrintableText.escape(letter.queueName),
                "since   " + letter.timestamp.formatted(.iso8601),
                "reason  " + PrintableText.escape(letter.reason.isEmpty ? "(none was kept)" : letter.reason),
                "message " + PrintableText.escape(read(letter, decoder) { $0.jsonValue.description }),
            ]
        }

        static func json(_ letter: DeadLetter, _ decoder: any MessageEncoder) -> String {
            var members: [(String, JSONValue)] = [
                ("id", .string(letter.id)), ("queue", .string(letter.queueName)),
                ("timestamp", .integer(letter.timestamp.milliseconds)), ("reason", .string(letter.reason)),
            ]
            do {
                members.append(("message", try letter.message(decoder: decoder).jsonValue))
            } catch {
                members += [("message", .null), ("unreadable", .string("\(error)"))]
            }
            return PrintableText.escape(json: JSONObject(members).description)
        }

        private static func read(
            _ letter: DeadLetter, _ decoder: any MessageEncoder, _ text: (Message) -> String
        ) -> String {
            do {
                return text(try letter.message(decoder: decoder))
            } catch {
                return "(can't be read: \(error))"
            }
        }
    }
#endif
