#if Plugins
    import ArgumentParser
    import CommandLineSupport
    import Dramatiq
    import Foundation

    /// `dramatiq-workflow queues`.
    struct QueuesCommand: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "queues",
            abstract: "Look after the queues of a Redis server.",
            subcommands: [List.self, Pause.self, Resume.self],
            defaultSubcommand: List.self
        )

        /// `dramatiq-workflow queues list`.
        struct List: AsyncParsableCommand {
            static let configuration = CommandConfiguration(
                abstract: "Show what waits in the queues, which of them are paused, and who works.",
                discussion: """
                    "waiting" messages are free to be taken unless the queue is paused, "taken" ones are with workers. The \
                    age is that of the message that is next. Workers are those that were heard; Python's producers are \
                    among them for a while.

                    A key that holds something else and a next message that can't be read are named on standard error and \
                    hide nothing else; the exit code is 1 then.
                    """
            )

            @OptionGroup var server: RedisOptions

            func run() async throws {
                let console = Console()
                let overview = try await server.withOperations { try await Overview($0, $1) }
                let now = Date()
                for line in server.json ? overview.json(now: now) : overview.text(now: now) { console.writeLine(line) }
                try await console.finish(overview.problems)
            }
        }

        /// `dramatiq-workflow queues pause`.
        struct Pause: AsyncParsableCommand {
            static let configuration = CommandConfiguration(
                abstract: "Let no worker take anything from queues until they are resumed.",
                discussion: """
                    What is running goes on, and messages can still be sent. What workers have taken and not begun goes \
                    back within about a second: "queues" shows how many are still taken. Python's workers know nothing of \
                    it and go on.
                    """)

            @OptionGroup var server: RedisOptions
            @OptionGroup var selection: QueueSelection

            func run() async throws {
                try await selection.apply(server, "paused") { try await $0.pause(queue: $1) }
            }
        }

        /// `dramatiq-workflow queues resume`.
        struct Resume: AsyncParsableCommand {
            static let configuration = CommandConfiguration(
                abstract: "Let workers take from queues again that were paused.")

            @OptionGroup var server: RedisOptions
            @OptionGroup var selection: QueueSelection

            func run() async throws {
                try await selection.apply(server, "resumed") { try await $0.resume(queue: $1) }
            }
        }
    }

    /// Some queues.
    struct QueueSelection: ParsableArguments {
        @Argument(help: "The names of queues.")
        var queues: [String]

        func validate() throws {
            for queue in queues where QueueName.objection(to: queue) != nil {
                throw ValidationError("'\(PrintableText.escape(queue, limit: 200))' can't name a queue")
            }
        }

        /// Does something with each, and says so.
        ///
        /// - Parameter verb: what was done, as in "2 queues paused".
        func apply(
            _ server: RedisOptions, _ verb: String, _ body: (any QueueOperations, String) async throws -> Void
        ) async throws {
            var done: [String] = []
            try await server.withOperations { operations, _ in
                for queue in queues where !done.contains(queue) {
                    try await body(operations, queue)
                    done.append(queue)
                }
            }
            let console = Console()
            if server.json {
                console.writeLine(JSONObject([(verb, .array(JSONArray(done.map { .string($0) })))]).description)
            } else {
                console.writeLine("\(done.count) \(done.count == 1 ? "queue" : "queues") \(verb)")
            }
            try await console.flush()
        }
    }

    /// What there is on a server.
    private struct Overview {
        struct Queue {
            let status: QueueStatus
            /// When the message that is next was sent, if there is one that can be read.
            let nextSent: Date?
        }

        private var queues: [Queue] = []
        private var workers: [WorkerStatus] = []
        private(set) var problems: [String] = []

        init(_ operations: any QueueOperations, _ decoder: any MessageEncoder) async throws {
            for name in try await operations.queueNames() {
                let problems = try await operations.goingOn("Queue '\(name)'") {
                    add(try await operations.status(queue: name), decoder)
                }
                self.problems += problems
            }
            problems += try await operations.goingOn("The workers") {
                do {
                    workers = try await operations.workers()
                } catch is OperationNotSupported {
                    // Nobody knows them, which is nothing to mend.
                }
            }
        }

        private mutating func add(_ status: QueueStatus, _ decoder: any MessageEncoder) {
            problems += status.problems
            var nextSent: Date?
            if let next = status.next {
                do {
                    nextSent = try next.message(decoder: decoder).messageTimestamp.date
                } catch {
                    problems.append("Queue '\(status.name)': the message that is next can't be read: \(error)")
                }
            }
            // A key alone that is none of a queue's doesn't make one.
            if status.isEmpty, !status.problems.isEmpty { return }
            queues.append(Queue(status: status, nextSent: nextSent))
        }

        func text(now: Date) -> [String] {
            var table = TextTable(
                heading: ["QUEUE", "WAITING", "TAKEN", "DELAYED", "DEAD", "AGE", "OLDEST DEAD", "PAUSED"])
            for queue in queues {
                let status = queue.status
                table.add([
                    PrintableText.escape(status.name, limit: 200), "\(status.waiting)", "\(status.inFlight)",
                    "\(status.delayed)",
                    "\(status.deadLetters)", queue.nextSent.flatMap { Age(from: $0, to: now) }?.description ?? "-",
                    status.oldestDeadLetter.flatMap { Age(from: $0, to: now) }?.description ?? "-",
                    status.isPaused ? "yes" : "no",
                ])
            }
            var heard = TextTable(heading: ["WORKER", "HEARD"])
            for worker in workers {
                let age = Age(from: worker.lastHeard, to: now)
                heard.add([PrintableText.escape(worker.id, limit: 200), age.map { "\($0) ago" } ?? "-"])
            }
            let queueLines = queues.isEmpty ? ["The queues are empty."] : table.lines
            return queueLines + (workers.isEmpty ? [] : [""]) + heard.lines
        }

        private static func line(_ members: [(String, JSONValue)]) -> String {
            PrintableText.escape(json: JSONObject(members).description)
        }

        func json(now: Date) -> [String] {
            func age(_ date: Date?) -> JSONValue {
                date.flatMap { Age(from: $0, to: now) }.map { .integer($0.duration.milliseconds) } ?? .null
            }
            return queues.map { queue in
                let status = queue.status
                return Self.line([
                    ("queue", .string(status.name)), ("waiting", .integer(status.waiting)),
                    ("taken", .integer(status.inFlight)), ("delayed", .integer(status.delayed)),
                    ("dead_letters", .integer(status.deadLetters)), ("age_ms", age(queue.nextSent)),
                    ("oldest_dead_letter_ms", age(status.oldestDeadLetter)),
                    ("paused", .bool(status.isPaused)),
                ])
            }
                + workers.map { worker in
                    Self.line([("worker", .string(worker.id)), ("heard_ms", age(worker.lastHeard))])
                }
        }
    }
#endif
