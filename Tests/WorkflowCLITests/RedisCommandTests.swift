#if Plugins
    import ArgumentParser
    import Dramatiq
    import DramatiqLZ4
    import DramatiqRedis
    import DramatiqZlib
    import Foundation
    import RedisTestSupport
    import TestSupport
    import Testing

    @testable import CommandLineSupport
    @testable import WorkflowCLI

    @Suite(.timeLimit(.minutes(10))) struct RedisCommandTests {
        /// A server with dead letters in the queue `images`, and what waits in it.
        private func withStage(_ body: (RedisServer, RedisTransport, [DeadLetter]) async throws -> Void) async throws {
            try await withRedisServer { server in
                let redis = try RedisClient(url: server.url)
                let transport = RedisTransport(redis)
                let broker = Broker(transport: transport)
                let resize = TaskActor("resize", queue: "images") { (_: String) in }
                try await broker.declare(resize)
                try await broker.enqueue(["a", "b\u{1B}[31m", "c"].map { resize.message($0) })
                let consumer = try await transport.consumer(of: "images", prefetch: 10)
                for (index, delivery) in try await consumer.next(limit: 3).enumerated() {
                    try await transport.end(delivery, .reject(reason: "reason \(index)\n!"))
                    // Dead letters of the same millisecond have no order.
                    try await Task.sleep(for: .milliseconds(2))
                }
                await consumer.close()
                try await broker.enqueue([resize.message("d"), resize.message("e")])
                try await broker.enqueue([resize.message("f")], delay: .seconds(100))
                try await body(server, transport, try await transport.deadLetters(queue: "images"))
                await redis.shutDown()
            }
        }

        private func run(
            _ server: RedisServer, _ arguments: String..., option: String = "--redis", answer: String = ""
        ) async throws -> Tool.Result {
            try await Tool.run(arguments + [option, server.url], input: Array(answer.utf8))
        }

        @Test func queuesAreShown() async throws {
            try await withStage { server, _, _ in
                let text = try await run(server, "queues")
                #expect(text.status == 0)
                let lines = text.output.split(separator: "\n").map { $0.split(separator: " ") }
                #expect(lines[0].first == "QUEUE")
                #expect(lines[1].prefix(5) == ["images", "2", "0", "1", "3"])
                let json = try await run(server, "queues", "--json")
                let object = try #require(
                    try JSONValue(parsing: String(json.output.split(separator: "\n")[0])).objectValue)
                #expect(object["waiting"] == 2)
                #expect(object["delayed"] == 1)
                #expect(object["dead_letters"] == 3)
                #expect((object["age_ms"]?.intValue ?? -1) >= 0)
            }
        }

        @Test func queuesArePausedAndResumed() async throws {
            try await withStage { server, transport, _ in
                let pause = try await run(server, "queues", "pause", "images", "mail", "images")
                #expect(pause.status == 0, "\(pause.error)")
                #expect(pause.output == "2 queues paused\n")
                for queue in ["images", "mail"] { #expect(try await transport.status(queue: queue).isPaused) }
                let text = try await run(server, "queues")
                let lines = text.output.split(separator: "\n").map { $0.split(separator: " ") }
                #expect(lines[0].last == "PAUSED")
                #expect(lines[1].first == "images" && lines[1].last == "yes")
                // Nothing was ever sent there.
                #expect(lines[2].prefix(5) == ["mail", "0", "0", "0", "0"] && lines[2].last == "yes")
                let resume = try await run(server, "queues", "resume", "images", "--json")
                #expect(resume.output == "{\"resumed\":[\"images\"]}\n")
                let json = try await run(server, "queues", "list", "--json")
                let objects = try json.output.split(separator: "\n").map {
                    try #require(try JSONValue(parsing: String($0)).objectValue)
                }
                #expect(objects.map { $0["queue"] }.prefix(2) == ["images", "mail"])
                #expect(objects.map { $0["paused"] }.prefix(2) == [false, true])
                for arguments in [["pause"], ["pause", "a b"], ["resume"]] {
                    #expect(try await Tool.run(["queues"] + arguments + ["--redis", server.url]).status == 64)
                }
                #expect(try await transport.status(queue: "images").isPaused == false)
            }
        }

        @Test func queuesAreMeasuredWithoutAChange() async throws {
            try await withStage { server, _, _ in
                let redis = try RedisClient(url: server.url)
                let before = try await redis.execute(RedisCommand("DEBUG", "DIGEST")).string()
                let csv = try await run(server, "measure", "--format", "csv", option: "--sample-redis")
                #expect(csv.status == 0, "\(csv.error)")
                let rows = csv.output.split(whereSeparator: \.isNewline).map { $0.split(separator: ",") }
                let plain = try #require(rows.first { $0.first == "redis images" && $0.dropFirst(2).first == "json" })
                // Two wait and one is delayed; dead letters don't count.
                #expect(plain[3] == "3")
                let limited = try await run(
                    server, "measure", "--format", "csv", "--sample-limit", "1", option: "--sample-redis")
                #expect(limited.output.contains(",json,1,"))
                #expect(try await redis.execute(RedisCommand("DEBUG", "DIGEST")).string() == before)
                _ = try await redis.execute(RedisCommand("FLUSHALL"))
                let empty = try await run(server, "measure", option: "--sample-redis")
                #expect(empty.status != 0)
                #expect(empty.error.contains("no messages"))
                await redis.shutDown()
            }
        }

        @Test func deadLettersAreListedAndShown() async throws {
            try await withStage { server, _, letters in
                #expect(letters.count == 3)
                let list = try await run(server, "dead-letters", "--queue", "images", "--limit", "2")
                #expect(list.status == 0)
                #expect(list.output.contains(letters[0].id))
                #expect(list.output.contains(#"reason 1\n!"#))
                #expect(list.output.contains("2 of 3 dead letters"))
                #expect(!list.output.contains("\u{1B}"))
                let show = try await run(server, "dead-letters", "show", letters[1].id, "--queue", "images")
                #expect(show.output.contains(#""args":["b\u001b[31m"]"#))
                let json = try await run(server, "dead-letters", "show", letters[1].id, "--queue", "images", "--json")
                let object = try #require(try JSONValue(parsing: json.output).objectValue)
                #expect(object["reason"] == #"reason 1\n!"#)
                #expect(object["message"]?.objectValue?["actor_name"] == "resize")
                let missing = try await run(server, "dead-letters", "show", "nowhere", "--queue", "images")
                #expect(missing.status != 0)
                #expect(missing.error.contains("no dead letter nowhere"))
            }
        }

        @Test func deadLettersAreRequeued() async throws {
            try await withStage { server, transport, letters in
                let one = try await run(server, "dead-letters", "requeue", letters[2].id, "--queue", "images")
                #expect(one.output == "1 dead letter requeued\n")
                #expect(try await transport.status(queue: "images").waiting == 3)
                let all = try await run(server, "dead-letters", "requeue", "--all", "--queue", "images", "--json")
                #expect(all.output == "{\"requeued\":2}\n")
                #expect(try await transport.status(queue: "images").waiting == 5)
                #expect(try await transport.deadLetterCount(queue: "images") == 0)
                let neither = try await run(server, "dead-letters", "requeue")
                #expect(neither.status == 64)
            }
        }

        @Test func aRequeuedDeadLetterGetsItsRetriesAnewInItsFormat() async throws {
            try await withRedisServer { server in
                let redis = try RedisClient(url: server.url)
                let encoders: [any MessageEncoder] = [
                    JSONMessageEncoder(), LZ4MessageEncoder(minSize: 0), ZlibMessageEncoder(minSize: 0),
                ]
                for (index, encoder) in encoders.enumerated() {
                    let text = JSONValue.string(String(repeating: "text", count: 100))
                    let message = Message(
                        queueName: "images", actorName: "a", args: [text], options: ["retries": 20, "mine": 1])
                    _ = try await redis.pipeline([
                        RedisCommand("ZADD", "dramatiq:images.XQ", index, "id\(index)"),
                        RedisCommand("HSET", "dramatiq:images.XQ.msgs", "id\(index)", try encoder.encode(message)),
                    ])
                }
                let result = try await run(server, "dead-letters", "requeue", "--all", "--queue", "images")
                #expect(result.output == "3 dead letters requeued\n")
                for (index, encoder) in encoders.enumerated() {
                    let bytes = try await redis.execute(
                        RedisCommand("HGET", "dramatiq:images.msgs", "id\(index)")
                    ).bytes()
                    let message = try encoder.decode(bytes)
                    #expect(message.options == ["mine": 1])
                    if let format = encoder as? any FormatRecognizing {
                        #expect(format.recognizes(bytes))
                    }
                }
                await redis.shutDown()
            }
        }

        @Test func purgingAsksFirst() async throws {
            try await withStage { server, transport, letters in
                for answer in ["", "n\n", "what\n"] {
                    let no = try await run(
                        server, "dead-letters", "purge", "--all", "--queue", "images", answer: answer)
                    #expect(no.status == 1)
                    #expect(no.error.contains("Remove 3 dead letters of queue images for good?"))
                }
                #expect(try await transport.deadLetterCount(queue: "images") == 3)
                let one = try await run(
                    server, "dead-letters", "purge", letters[0].id, "--queue", "images", answer: "y\n")
                #expect(one.output == "1 dead letter removed\n")
                let all = try await run(server, "dead-letters", "purge", "--all", "--yes", "--queue", "images")
                #expect(all.output == "2 dead letters removed\n")
                #expect(all.error == "")
                #expect(try await transport.deadLetterCount(queue: "images") == 0)
            }
        }

        @Test func whatIsThereIsDoneAndWhatIsMissingNamed() async throws {
            try await withStage { server, transport, letters in
                let (a, b, c) = (letters[0].id, letters[1].id, letters[2].id)
                let some = try await run(
                    server, "dead-letters", "requeue", a, "missing", b, a, "\u{1B}[31m", "", "--queue", "images")
                #expect(some.status == 1)
                #expect(some.output == "2 dead letters requeued\n")
                #expect(
                    some.errorLines == [
                        "There is no dead letter 'missing' in the queue",
                        #"There is no dead letter '\u{1B}[31m' in the queue"#,
                        "There is no dead letter '' in the queue",
                    ])
                #expect(try await transport.status(queue: "images").waiting == 4)
                let purge = try await run(
                    server, "dead-letters", "purge", a, c, c, "--yes", "--json", "--queue", "images")
                #expect(purge.status == 1)
                #expect(purge.output == "{\"removed\":1,\"missing\":[\"\(a)\"],\"failed\":[]}\n")
                #expect(try await transport.deadLetterCount(queue: "images") == 0)
                #expect(try await transport.status(queue: "images").waiting == 4)
            }
        }

        @Test func anErrorInTheMiddleSaysWhatIsKnown() async throws {
            struct Lost: Error {}
            let selection = try DeadLetterSelection.parse(["a", "missing", "broken", "b", "c", "d"])
            var tried: [String] = []
            let outcome = await selection.apply {
                0
            } toEach: { id in
                tried.append(id)
                if id == "missing" { throw BrokerError.deadLetterNotFound(queue: "q", id: id) }
                if id == "broken" { throw RedisError(.server, "WRONGTYPE something else") }
                if id == "c" { throw RedisError(.connectionClosed, "The connection was lost") }
            }
            #expect(tried == ["a", "missing", "broken", "b", "c"])
            let captured = try CapturedConsole()
            await #expect(throws: RedisError.self) {
                try await outcome.tell("requeued", isJSON: false, on: captured.console)
            }
            #expect(try await captured.outputText() == "2 dead letters requeued\n")
            #expect(
                try await captured.errorText().split(separator: "\n") == [
                    "There is no dead letter 'missing' in the queue",
                    "Dead letter 'broken' was not requeued: WRONGTYPE something else",
                    "Dead letter 'c' is not known to be requeued", "Dead letter 'd' is not known to be requeued",
                ])

            let all = await (try DeadLetterSelection.parse(["--all"])).apply {
                throw Lost()
            } toEach: { _ in
            }
            let second = try CapturedConsole()
            await #expect(throws: Lost.self) { try await all.tell("removed", isJSON: false, on: second.console) }
            #expect(try await second.outputText() == "")
            #expect(try await second.errorText() == "Some dead letters may have been removed\n")
        }

        /// Queues with what others can have done to their keys, and one that is as it should be.
        private func withOddKeys(_ body: (RedisServer, RedisClient) async throws -> Void) async throws {
            try await withStage { server, _, _ in
                let redis = try RedisClient(url: server.url)
                let message = #"{"queue_name":"q","actor_name":"a","args":[],"kwargs":{},"options":{},"#
                func text(_ timestamp: String) -> String {
                    message + "\"message_id\":\"x\",\"message_timestamp\":\(timestamp)}"
                }
                for (queue, timestamp) in [("past", "-1e300"), ("never", "NaN"), ("future", "1e300")] {
                    _ = try await redis.execute(RedisCommand("HSET", "dramatiq:\(queue).msgs", "x", text(timestamp)))
                    _ = try await redis.execute(RedisCommand("RPUSH", "dramatiq:\(queue)", "x"))
                }
                _ = try await redis.execute(RedisCommand("HSET", "dramatiq:damaged.msgs", "x", "oops", "y", text("1")))
                _ = try await redis.execute(RedisCommand("RPUSH", "dramatiq:damaged", "x", "y"))
                _ = try await redis.execute(RedisCommand("SET", "dramatiq:text.msgs", "x"))
                _ = try await redis.execute(RedisCommand("SET", "dramatiq:half.msgs", "x"))
                _ = try await redis.execute(RedisCommand("HSET", "dramatiq:half.DQ.msgs", "x", text("1")))
                _ = try await redis.execute(RedisCommand("SET", "dramatiq:images.XQ", "x"))
                _ = try await redis.execute(RedisCommand("HSET", "dramatiq:other:q.msgs", "x", text("1")))
                _ = try await redis.execute(RedisCommand("HSET", "dramatiq:other:more:q.msgs", "x", text("1")))
                _ = try await redis.execute(RedisCommand("SADD", "dramatiq:__acks__.w.q.msgs", "x"))
                _ = try await redis.execute(
                    RedisCommand("HSET", [UInt8]("dramatiq:".utf8) + [0xFF] + [UInt8](".msgs".utf8), "x", "y"))
                _ = try await redis.execute(RedisCommand("DEL", "dramatiq:__heartbeats__"))
                _ = try await redis.execute(
                    RedisCommand(
                        "ZADD", "dramatiq:__heartbeats__", "inf", "w1", "-inf", "w2", "1e300", [0xFF, 0x1B] as [UInt8]))
                try await body(server, redis)
                await redis.shutDown()
            }
        }

        @Test func oneOddKeyHidesNoQueue() async throws {
            try await withOddKeys { server, redis in
                let plain = try await run(server, "queues")
                #expect(plain.status == 1)
                let rows = plain.output.split(separator: "\n").map { $0.split(separator: " ") }
                #expect(
                    rows.dropFirst().prefix(6).map(\.first) == [
                        "damaged", "future", "half", "images", "never", "past",
                    ])
                #expect(rows[4].prefix(5) == ["images", "2", "0", "1", "0"])
                #expect(!plain.output.contains("\u{1B}"))
                #expect(plain.errorLines.count == 4)
                for text in [
                    "Queue 'damaged': the message that is next can't be read: ", "'dramatiq:half.msgs' holds a string",
                    "'dramatiq:images.XQ' holds a string", "'dramatiq:text.msgs' holds a string",
                ] { #expect(plain.error.contains(text)) }

                let json = try await run(server, "queues", "--json")
                #expect(json.status == 1)
                #expect(json.output.split(separator: "\n").count == 6 + 3)
                for line in json.output.split(separator: "\n") { _ = try JSONValue(parsing: String(line)) }
                let other = try await run(server, "queues", "--json", "--namespace", "dramatiq:other")
                #expect(other.status == 0)
                #expect(other.output.hasPrefix("{\"queue\":\"q\",\"waiting\":0,\"taken\":1,"))
                #expect(other.output.split(separator: "\n").count == 1)

                // Neither does what is there for the workers.
                _ = try await redis.execute(RedisCommand("SET", "dramatiq:__heartbeats__", "x"))
                let workers = try await run(server, "queues")
                #expect(workers.output.split(separator: "\n").count == 1 + 6)
                #expect(workers.error.contains("The workers: WRONGTYPE"))
            }
        }

        @Test func oneMessageThatCannotBeReadHidesNoOther() async throws {
            try await withOddKeys { server, _ in
                let csv = try await run(server, "measure", "--format", "csv", option: "--sample-redis")
                #expect(csv.status == 1)
                for (queue, count) in [
                    ("damaged", 1), ("future", 1), ("half", 1), ("images", 3), ("never", 1), ("past", 1), ("all", 8),
                ] {
                    let name = queue == "all" ? "all" : "redis \(queue)"
                    #expect(csv.output.contains("\n\(name),as sent,json,\(count),"), "\(name)")
                }
                #expect(csv.errorLines.count == 4)
                #expect(csv.error.contains("Queue 'damaged': x is no message that can be read: "))
                #expect(csv.error.contains("'dramatiq:text.msgs' holds a string"))
            }
        }

        @Test func oneOddDeadLetterHidesNoOther() async throws {
            try await withStage { server, transport, letters in
                let redis = try RedisClient(url: server.url)
                _ = try await redis.execute(
                    RedisCommand("ZADD", "dramatiq:images.XQ", "inf", letters[0].id, "-inf", letters[1].id))
                _ = try await redis.execute(RedisCommand("HSET", "dramatiq:images.XQ.msgs", letters[2].id, "oops"))
                _ = try await redis.execute(RedisCommand("DEL", "dramatiq:images.XQ.reason.\(letters[2].id)"))
                _ = try await redis.execute(
                    RedisCommand("SADD", "dramatiq:images.XQ.reason.\(letters[2].id)", "x"))
                // More than a page of those that have no message any more.
                for start in stride(from: 0, to: 600, by: 100) {
                    for index in start..<start + 100 {
                        _ = try await redis.execute(RedisCommand("ZADD", "dramatiq:images.XQ", "5", "gone-\(index)"))
                    }
                }
                let list = try await run(server, "dead-letters", "--queue", "images", "--limit", "1000")
                #expect(list.status == 0)
                for letter in letters { #expect(list.output.contains(letter.id)) }
                #expect(list.output.contains("(can't be read: "))
                #expect(list.output.contains("3 of 603 dead letters"))
                for letter in letters {
                    for options in [[], ["--json"]] {
                        let show = try await Tool.run(
                            ["dead-letters", "show", letter.id, "--queue", "images", "--redis", server.url] + options)
                        #expect(show.status == 0, "\(show.error)")
                        #expect(show.output.contains(letter.id))
                    }
                }
                #expect(try await transport.deadLetters(queue: "images", offset: .max, limit: .max).isEmpty)
                #expect(try await transport.deadLetters(queue: "images", offset: .min, limit: .min).isEmpty)
                await redis.shutDown()
            }
        }

        @Test(.enabled(if: FileManager.default.isExecutableFile(atPath: "/usr/bin/redis-cli")))
        func whatRedisPrintsIsDecoded() async throws {
            try await withRedisServer { server in
                let files = try TemporaryDirectory()
                let text = JSONValue.string(String(repeating: "lorem ipsum ", count: 100))
                let plain = try JSONMessageEncoder().encode(Message(queueName: "q", actorName: "a", args: [text]))
                try files.write(plain, "m.json")
                let cli = "redis-cli -p \(server.port)"
                for encoder in ["json", "lz4", "zlib"] {
                    let script = """
                        $TOOL encode --encoder \(encoder) m.json | \(cli) -x hset q.msgs x > answer &&
                        \(cli) --raw hget q.msgs x | $TOOL decode
                        """
                    let decoded = try await Tool.script(script, in: files)
                    #expect(decoded.status == 0, "\(decoded.error)")
                    #expect(decoded.outputBytes == plain + [UInt8(ascii: "\n")])
                    for quoted in ["hget q.msgs x", "hget q.msgs none", "hkeys q.msgs"] {
                        let refused = try await Tool.script(
                            "\(cli) --no-raw \(quoted) | $TOOL encode --encoder lz4", in: files)
                        #expect(refused.status == 1)
                        #expect(refused.error.contains("use redis-cli --raw"))
                    }
                }
                let missing = try await Tool.script("\(cli) --raw hget q.msgs none | $TOOL decode", in: files)
                #expect(missing.status == 1)
                #expect(missing.error == "Error: Standard input can't be decoded: It is empty\n")
            }
        }

        @Test func aServerThatIsNotThereIsSaidSoOnce() async throws {
            let server = try await RedisServer()
            server.kill()
            for arguments in [["queues", "--redis"], ["dead-letters", "--redis"], ["measure", "--sample-redis"]] {
                let result = try await Tool.run(arguments + [server.url])
                #expect(result.status == 1)
                #expect(result.output.isEmpty)
                #expect(result.errorLines.count == 1)
                #expect(result.error.contains("No connection to 127.0.0.1:\(server.port)"))
            }
        }

        @Test func dictionariesAreUsed() async throws {
            try await withRedisServer { server in
                let files = try TemporaryDirectory()
                let message = Message(queueName: "q", actorName: "resize", args: ["a"])
                let dictionary = try CompressionDictionary(try JSONMessageEncoder().encode(message))
                try files.write(dictionary.file, "dictionary")
                let redis = try RedisClient(url: server.url)
                let broker = Broker(
                    transport: RedisTransport(redis),
                    encoder: ZlibMessageEncoder(minSize: 0, dictionary: dictionary))
                let resize = TaskActor("resize", queue: "q") { (_: String) in }
                try await broker.declare(resize)
                try await resize.send("a", to: broker)
                let without = try await run(server, "queues")
                #expect(without.status == 1)
                #expect(without.error.contains("can't be read"))
                let path = files.location.appending(path: "dictionary").path
                let with = try await run(server, "queues", "--dictionary", path)
                #expect(with.status == 0)
                await redis.shutDown()
            }
        }
    }
#endif
