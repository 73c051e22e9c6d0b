#if Plugins
    import ArgumentParser
    import Dramatiq
    import Foundation
    import RedisTestSupport
    import Testing
    import TestSupport

    @testable import CommandLineSupport
    @testable import DramatiqRedis
    @testable import WorkflowCLI
    @testable import WorkflowDemo

    /// What others wrote doesn't get out of the line, the cell or the drawing that it is in.
    @Suite(.timeLimit(.minutes(10))) struct PrintedTextTests {
        private static let hostile = "=cmd|' /C calc'!A0\u{1B}[2J\u{9B}31m\u{202E}\u{2028}\r\n\u{7F}<script>"

        private static func isPrintable(_ text: String) -> Bool {
            !text.unicodeScalars.contains { scalar in
                scalar.value < 0x20 && scalar != "\n" || (0x7F..<0xA0).contains(scalar.value)
                    || ["\u{202E}", "\u{2028}"].contains(scalar)
            }
        }

        /// Dead letters with hostile texts in every field, and a queue and a worker with such names.
        @Test func whatIsOnAServerIsPrintedAsText() async throws {
            try await withRedisServer { server in
                let redis = try RedisClient(url: server.url)
                let hostile = Self.hostile
                let message = Message(
                    queueName: "q", actorName: hostile, args: [.string(hostile)],
                    kwargs: [hostile: 1], options: ["traceback": .string(hostile)],
                    messageID: hostile)
                let pretty =
                    Array("{\n".utf8) + (try JSONMessageEncoder(escapesNonASCII: false).encode(message)).dropFirst()
                let marks = String(repeating: "\u{301}", count: 200_000)
                _ = try await redis.pipeline([
                    RedisCommand("ZADD", "dramatiq:q.XQ", 1, hostile),
                    RedisCommand("HSET", "dramatiq:q.XQ.msgs", hostile, pretty),
                    RedisCommand("SET", "dramatiq:q.XQ.reason.\(hostile)", hostile + marks),
                    RedisCommand("RPUSH", "dramatiq:q", hostile),
                    RedisCommand("HSET", "dramatiq:q.msgs", hostile, "nonsense \(hostile)"),
                    RedisCommand("RPUSH", "dramatiq:\(hostile)", "x"),
                    RedisCommand("HSET", "dramatiq:\(hostile).msgs", "x", "x"),
                    RedisCommand("ZADD", "dramatiq:__heartbeats__", 4_000_000_000_000, hostile),
                ])
                for arguments in [
                    ["queues"], ["queues", "--json"], ["dead-letters", "--queue", "q"],
                    ["dead-letters", "--queue", "q", "--json"], ["dead-letters", "show", hostile, "--queue", "q"],
                    ["dead-letters", "show", hostile, "--queue", "q", "--json"],
                    ["dead-letters", "requeue", hostile + "?", "--queue", "q", "--json"],
                ] {
                    let result = try await Tool.run(arguments + ["--redis", server.url])
                    #expect(!result.output.isEmpty, "\(arguments)")
                    #expect(Self.isPrintable(result.output), "\(arguments)")
                    #expect(Self.isPrintable(result.error), "\(arguments)")
                    if arguments.contains("--json") {
                        for line in result.output.split(separator: "\n") { _ = try JSONValue(parsing: String(line)) }
                    }
                }
                let list = try await Tool.run(["dead-letters", "--queue", "q", "--redis", server.url])
                #expect(list.outputBytes.count < 2000)
                let json = try await Tool.run(["dead-letters", "--queue", "q", "--json", "--redis", server.url])
                let letter = try #require(try JSONValue(parsing: json.output).objectValue)
                // The same text, written in another way.
                #expect(letter["id"] == .string(hostile))
                #expect(letter["message"]?.objectValue?["args"] == [.string(hostile)])
                await redis.shutDown()
            }
        }

        @Test func whatTheToolsOwnTransportKeepsAsReasonIsOneLine() async throws {
            try await withRedisServer { server in
                let redis = try RedisClient(url: server.url)
                let transport = RedisTransport(redis)
                let broker = Broker(transport: transport)
                let task = TaskActor("task") {}
                try await broker.declare(task)
                try await task.send(to: broker)
                let consumer = try await transport.consumer(of: "default", prefetch: 1)
                let marks = String(repeating: "\u{301}", count: 200_000)
                for delivery in try await consumer.next(limit: 1) {
                    try await transport.end(delivery, .reject(reason: Self.hostile + marks))
                }
                await consumer.close()
                let letter = try #require(try await transport.deadLetters(queue: "default").first)
                #expect(Self.isPrintable(letter.reason) && !letter.reason.contains("\n"))
                #expect(letter.reason.utf8.count <= PrintableText.reasonLimit + 3)
                await redis.shutDown()
            }
        }

        // MARK: Cells

        private static let formulas = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1", "＋1", "－1", "＠1"]

        @Test(arguments: formulas)
        func aCellIsNoFormula(text: String) {
            let row = MeasuredRow(
                sample: text, storage: text, encoder: text, tally: MessageTally(), stored: 0, plainTotal: 0)
            var rows = MeasuredRows()
            rows.add([row])
            #expect(rows.csv.contains("\r\n\"'\(text)\",\"'\(text)\",\"'\(text)\",0,"))
        }

        @Test func otherCellsAreWhatTheyAre() {
            var rows = MeasuredRows()
            let row = MeasuredRow(
                sample: "a=b", storage: "a;=b", encoder: "'", tally: MessageTally(), stored: 0, plainTotal: 0)
            rows.add([row])
            #expect(rows.csv.contains("\r\na=b,\"a;=b\",\"'\",0,"))
        }

        @Test func theTableOfSizesHasNoFormula() {
            let rows = ["=a", "+a", "-a", "@a", "\ta", "＝a", "a=", "-"].map {
                SizeTable.Row(path: FilePath($0), size: 1, compressedSize: 2)
            }
            let lines = String(decoding: SizeTable.encoded(rows), as: UTF8.self).split(separator: "\n").dropFirst()
            #expect(
                lines.map { $0.dropFirst(4) } == ["./=a", "./+a", "./-a", "./@a", "./\ta", "./＝a", "a=", "./-"])
        }

        @Test func filesWithHostileNamesAreMeasured() async throws {
            let directory = try TemporaryDirectory()
            let drawings = try TemporaryDirectory()
            let message = try JSONMessageEncoder().encode(Message(queueName: "q", actorName: "a"))
            let name = Self.hostile.replacing("/", with: "")
            try directory.write(message, name + ".json")
            try directory.write(message, "+1.json")
            for format in ["table", "json", "csv"] {
                let result = try await Tool.run(
                    [
                        "measure", directory.location.path, "--format", format, "--chart",
                        drawings.location.path + "/chart",
                    ])
                #expect(result.status == 0, "\(result.error)")
                #expect(Self.isPrintable(result.output.replacing("\r\n", with: "\n")))
                if format == "csv" { #expect(result.output.contains("\r\n\"'+1\",")) }
            }
            let chart = String(decoding: try drawings.read("chart"), as: UTF8.self)
            #expect(Self.isPrintable(chart) && !chart.contains("<script"))
        }

        // MARK: Files

        private func permissions(_ directory: TemporaryDirectory, _ name: String) throws -> Int? {
            let path = directory.location.appending(path: name).path
            return try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
        }

        @Test func aFileThatIsWrittenAgainKeepsItsPermissions() throws {
            let directory = try TemporaryDirectory()
            for mode: mode_t in [0o600, 0o640, 0o644, 0o666] {
                try directory.write([1], "file")
                #expect(chmod(directory.location.appending(path: "file").path, mode) == 0)
                for isPrivate in [false, true] {
                    try AtomicFile.write([2], to: directory.path.appending(FilePath("file")), isPrivate: isPrivate)
                    #expect(try permissions(directory, "file") == Int(mode))
                }
            }
            try AtomicFile.write([2], to: directory.path.appending(FilePath("new")), isPrivate: true)
            #expect(try permissions(directory, "new") == 0o600)
        }

        @Test func aNewDictionaryIsForItsOwner() async throws {
            let directory = try TemporaryDirectory()
            for index in 0..<200 {
                let message = Message(queueName: "images", actorName: "resize", args: [.string("picture \(index)")])
                try directory.write(try JSONMessageEncoder().encode(message), "messages/\(index).json")
            }
            let result = try await Tool.script(
                "umask 000; \"$TOOL\" train-dictionary messages --output jobs.dictionary", in: directory)
            #expect(result.status == 0, "\(result.error)")
            #expect(try permissions(directory, "jobs.dictionary") == 0o600)
        }
    }
#endif
