#if Plugins
    import ArgumentParser
    import Dramatiq
    import DramatiqRedis

    /// `dramatiq-workflow queues`.
    struct QueuesCommand: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "queues",
            abstract: "Show what waits in the queues of a Redis server, and who works.",
            discussion: """
                "waiting" messages are free to be taken, "taken" ones are with workers. The age is that of the message \
                that is next. Workers are those that were heard; Python's producers are among them for a while.
                """
        )

        @OptionGroup var server: RedisOptions

        func run() async throws {
            let console = Console()
            try await server.withTransport { transport in
                var statuses: [RedisQueueStatus] = []
                for name in try await transport.queueNames() {
                    statuses.append(try await transport.status(queue: name))
                }
                let workers = try await transport.workers()
                let now = SystemClock.milliseconds()
                let lines =
                    server.json
                    ? Self.json(statuses, workers, now: now) : Self.text(statuses, workers, now: now)
                for line in lines { console.writeLine(line) }
            }
            try await console.flush()
        }

        /// How long ago the message that is next was sent, if it can be read.
        private static func age(_ status: RedisQueueStatus, now: Int) -> Duration? {
            guard let bytes = status.next, let message = try? RedisOptions.decoder.decode(bytes) else { return nil }
            return .milliseconds(max(0, Double(now) - message.messageTimestamp.milliseconds))
        }

        static func text(
            _ statuses: [RedisQueueStatus], _ workers: [RedisWorkerStatus], now: Int
        ) -> [String] {
            var queues = TextTable(heading: ["QUEUE", "WAITING", "TAKEN", "DELAYED", "DEAD", "AGE", "OLDEST DEAD"])
            for status in statuses {
                queues.add([
                    PrintableText.escape(status.name), "\(status.waiting)", "\(status.taken)", "\(status.delayed)",
                    "\(status.deadLetters)", age(status, now: now).map { Age($0).description } ?? "-",
                    status.oldestDeadLetter.map { Age(.milliseconds(max(0, now - $0))).description } ?? "-",
                ])
            }
            var heard = TextTable(heading: ["WORKER", "HEARD"])
            for worker in workers {
                let age = Age(.milliseconds(max(0, now - worker.lastHeard)))
                heard.add([PrintableText.escape(worker.id), "\(age) ago"])
            }
            let queueLines = statuses.isEmpty ? ["The queues are empty."] : queues.lines
            return queueLines + (workers.isEmpty ? [] : [""]) + heard.lines
        }

        static func json(
            _ statuses: [RedisQueueStatus], _ workers: [RedisWorkerStatus], now: Int
        ) -> [String] {
            statuses.map { status in
                JSONObject([
                    ("queue", .string(status.name)), ("waiting", .integer(status.waiting)),
                    ("taken", .integer(status.taken)), ("delayed", .integer(status.delayed)),
                    ("dead_letters", .integer(status.deadLetters)),
                    ("age_ms", age(status, now: now).map { .integer($0.milliseconds) } ?? .null),
                    ("oldest_dead_letter_ms", status.oldestDeadLetter.map { .integer(max(0, now - $0)) } ?? .null),
                ]).description
            }
                + workers.map { worker in
                    JSONObject([
                        ("worker", .string(worker.id)), ("heard_ms", .integer(max(0, now - worker.lastHeard))),
                    ]).description
                }
        }
    }
#endif
