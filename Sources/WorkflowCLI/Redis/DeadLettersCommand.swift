#if Plugins
    import ArgumentParser
    import Dramatiq
    import DramatiqRedis
    import Foundation

    /// `dramatiq-workflow dead-letters`.
    struct DeadLettersCommand: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "dead-letters",
            abstract: "Look after messages that could not be processed, on a Redis server.",
            subcommands: [List.self, Show.self, Requeue.self, Purge.self],
            defaultSubcommand: List.self
        )

        /// Some dead letters of a queue, or all of them.
        struct Selection: ParsableArguments {
            @Argument(help: "The ids of dead letters, as listed.")
            var ids: [String] = []

            @Flag(help: "All dead letters of the queue.")
            var all = false

            /// Does something with all of them at once or with each, and returns with how many.
            func apply(
                toAll: () async throws -> Int, toEach: (_ id: String) async throws -> Void
            ) async throws -> Int {
                if all { return try await toAll() }
                for id in ids { try await toEach(id) }
                return ids.count
            }

            func validate() throws {
                guard ids.isEmpty == all else { throw ValidationError("Give either ids or --all") }
            }
        }

        /// `dramatiq-workflow dead-letters list`.
        struct List: AsyncParsableCommand {
            static let configuration = CommandConfiguration(abstract: "List dead letters, oldest first.")

            @OptionGroup var options: DeadLetterOptions

            @Option(help: ArgumentHelp("How many to leave out.", valueName: "number"))
            var offset = 0

            @Option(help: ArgumentHelp("How many to list at most.", valueName: "number"))
            var limit = 50

            func validate() throws {
                guard offset >= 0, limit > 0 else { throw ValidationError("--offset and --limit can't be negative") }
            }

            func run() async throws {
                let console = Console()
                try await options.server.withTransport { transport in
                    let letters = try await transport.deadLetters(
                        queue: options.queue, offset: offset, limit: limit)
                    if options.server.json {
                        for letter in letters { console.writeLine(DeadLettersCommand.json(letter)) }
                        return
                    }
                    let count = try await transport.deadLetterCount(queue: options.queue)
                    for line in DeadLettersCommand.text(letters, now: SystemClock.milliseconds()) {
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
                try await options.server.withTransport { transport in
                    let letter = try await transport.deadLetter(id, queue: options.queue)
                    let lines =
                        options.server.json
                        ? [DeadLettersCommand.json(letter)] : DeadLettersCommand.details(letter)
                    for line in lines { console.writeLine(line) }
                }
                try await console.flush()
            }
        }

        /// `dramatiq-workflow dead-letters requeue`.
        struct Requeue: AsyncParsableCommand {
            static let configuration = CommandConfiguration(
                abstract: "Put dead letters back into their queue, to be processed again.")

            @OptionGroup var options: DeadLetterOptions
            @OptionGroup var selection: Selection

            func run() async throws {
                let console = Console()
                try await options.server.withTransport { transport in
                    let count = try await selection.apply {
                        try await transport.requeueDeadLetters(queue: options.queue)
                    } toEach: { id in
                        try await transport.requeueDeadLetter(id, queue: options.queue)
                    }
                    console.writeLine(DeadLettersCommand.done("requeued", count, isJSON: options.server.json))
                }
                try await console.flush()
            }
        }

        /// `dramatiq-workflow dead-letters purge`.
        struct Purge: AsyncParsableCommand {
            static let configuration = CommandConfiguration(
                abstract: "Remove dead letters for good; asks first.",
                discussion: "The exit code is 1 if the answer was no.")

            @OptionGroup var options: DeadLetterOptions
            @OptionGroup var selection: Selection

            @Flag(help: "Don't ask.")
            var yes = false

            func run() async throws {
                try await run(Console()) { readLine() }
            }

            /// - Parameter answer: gets a line from whoever is asked; `nil` if there is nobody.
            func run(_ console: Console, answer: () -> String?) async throws {
                try await options.server.withTransport { transport in
                    let count =
                        selection.all
                        ? try await transport.deadLetterCount(queue: options.queue) : selection.ids.count
                    if !yes {
                        let noun = count == 1 ? "dead letter" : "dead letters"
                        console.write(
                            "Remove \(count) \(noun) of queue \(options.queue) for good? [y/N] ", to: .error)
                        try await console.flush()
                        let reply = answer()?.trimmingCharacters(in: .whitespaces).lowercased()
                        guard reply == "y" || reply == "yes" else { throw ExitCode.failure }
                    }
                    let removed = try await selection.apply {
                        try await transport.removeDeadLetters(queue: options.queue)
                    } toEach: { id in
                        try await transport.removeDeadLetter(id, queue: options.queue)
                    }
                    console.writeLine(DeadLettersCommand.done("removed", removed, isJSON: options.server.json))
                }
                try await console.flush()
            }
        }
    }

    extension DeadLettersCommand {
        static func text(_ letters: [DeadLetter], now: Int) -> [String] {
            guard !letters.isEmpty else { return ["There are no dead letters."] }
            var table = TextTable(heading: ["ID", "AGE", "MESSAGE", "REASON"])
            for letter in letters {
                let message = (try? letter.message(decoder: RedisOptions.decoder))?.description ?? "(can't be read)"
                table.add([
                    PrintableText.escape(letter.id), Age(.milliseconds(max(0, now - letter.timestamp))).description,
                    PrintableText.escape(String(message.prefix(60))),
                    PrintableText.escape(String(letter.reason.prefix(100))),
                ])
            }
            return table.lines
        }

        static func details(_ letter: DeadLetter) -> [String] {
            let time = Date(timeIntervalSince1970: Double(letter.timestamp) / 1000)
            return [
                "id      " + PrintableText.escape(letter.id),
                "queue   " + letter.queueName,
                "since   " + time.formatted(.iso8601),
                "reason  " + PrintableText.escape(letter.reason.isEmpty ? "(none was kept)" : letter.reason),
                "message " + PrintableText.escape(text(letter) ?? "(can't be read)"),
            ]
        }

        static func json(_ letter: DeadLetter) -> String {
            var members: [(String, JSONValue)] = [
                ("id", .string(letter.id)), ("queue", .string(letter.queueName)),
                ("timestamp", .integer(letter.timestamp)), ("reason", .string(letter.reason)),
            ]
            members.append(("message", (try? letter.message(decoder: RedisOptions.decoder))?.jsonValue ?? .null))
            return JSONObject(members).description
        }

        /// The message as JSON.
        private static func text(_ letter: DeadLetter) -> String? {
            (try? letter.message(decoder: RedisOptions.decoder))?.jsonValue.description
        }

        static func done(_ verb: String, _ count: Int, isJSON: Bool) -> String {
            if isJSON { return JSONObject([(verb, .integer(count))]).description }
            return "\(count) \(count == 1 ? "dead letter" : "dead letters") \(verb)"
        }
    }
#endif
