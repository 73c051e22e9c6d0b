#if Plugins
    import Dramatiq
    import DramatiqRedis
    import Foundation
    import RedisTestSupport
    import Testing

    @testable import WorkflowCLI

    @Suite(.timeLimit(.minutes(2))) struct RedisCommandTests {
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
                    _ = try await transport.settle(
                        delivery, Settlement(outcome: .reject(reason: "reason \(index)\n!")))
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
                #expect(object["reason"] == "reason 1\n!")
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

        @Test func aServerThatIsNotThereIsSaidSo() async throws {
            let server = try await RedisServer()
            server.kill()
            let result = try await run(server, "queues")
            #expect(result.status != 0)
            #expect(!result.error.isEmpty)
        }
    }
#endif
