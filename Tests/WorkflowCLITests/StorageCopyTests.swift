#if Plugins
    import Dramatiq
    import DramatiqDedupStorage
    import DramatiqFileStorage
    import DramatiqLZ4
    import DramatiqRedis
    import DramatiqWorkflow
    import Foundation
    import RedisTestSupport
    import TestSupport
    import Testing

    @testable import CommandLineSupport
    @testable import WorkflowCLI

    /// Copying what is stored from place to place, and looking after it there.
    @Suite(.timeLimit(.minutes(10))) struct StorageCopyTests {
        private static let contents = (0..<40).map { Array(#"[{"__type__":"chain","children":[\#($0)]}]"#.utf8) }

        private func fill(_ path: String) async throws -> FileWorkflowStore {
            let store = FileWorkflowStore(directory: path, durability: .processFailure, compressor: LZ4Compressor())
            for content in Self.contents { _ = try await store.store(content, completionID: "a") }
            return store
        }

        private func members(_ result: Tool.Result) throws -> JSONObject {
            try #require(try JSONValue(parsing: result.output).objectValue)
        }

        private func run(_ arguments: String...) async throws -> Tool.Result {
            try await Tool.run(["storage"] + arguments)
        }

        @Test func filesAreCopiedToABucket() async throws {
            let scratch = try TemporaryDirectory()
            let source = try await fill(scratch.location.path + "/first")
            let server = try await S3Server()
            try await server.makeBucket("tool")
            let bucket = "s3://tool/kept/?region=\(S3Server.region)&endpoint=\(server.endpoint)"
            let environment = [
                "AWS_ACCESS_KEY_ID": S3Server.accessKeyID, "AWS_SECRET_ACCESS_KEY": S3Server.secretAccessKey,
            ]
            func run(_ arguments: String...) async throws -> JSONObject {
                let result = try await Tool.run(
                    ["storage"] + arguments + ["--json"],
                    through: ["env"] + environment.map { "\($0.key)=\($0.value)" })
                #expect(result.status == 0 && !result.error.contains(S3Server.secretAccessKey), "\(result.error)")
                return try members(result)
            }
            #expect(try await run("copy", source.directory.path, bucket, "--compression", "zlib")["copied"] == 40)
            #expect(try await run("copy", source.directory.path, bucket)["present"] == 40)
            #expect(try await run("stat", bucket)["stored"] == 40)
            #expect(try await run("verify", bucket)["intact"] == 40)
            #expect(try await run("sweep", bucket, "--older-than", "1h")["kept"] == 40)
            #expect(try await run("copy", bucket, scratch.location.path + "/second")["copied"] == 40)
        }

        /// Runs a test's body with the URL of a server, or of one node of a cluster.
        private func withRedis(clusterNodes: Int, _ body: (String) async throws -> Void) async throws {
            if clusterNodes == 0 { return try await withRedisServer { try await body($0.url) } }
            try await withRedisCluster(nodes: clusterNodes) { try await body($0.nodes[1].url) }
        }

        @Test(arguments: [0, 3])
        func filesAreCopiedToRedisAndBack(clusterNodes: Int) async throws {
            let scratch = try TemporaryDirectory()
            let (first, second) = (scratch.location.path + "/first", scratch.location.path + "/second")
            let source = try await fill(first)
            try await withRedis(clusterNodes: clusterNodes) { server in
                let url = scratch.location.path + "/url"
                try Data((server + "\n").utf8).write(to: URL(filePath: url))
                let out = try await run("copy", "file:\(first)", "redis:file:\(url)", "--compression", "zlib", "--json")
                #expect(out.status == 0 && out.error.isEmpty)
                let copied = try members(out)
                #expect(copied["copied"] == 40)
                #expect(copied["present"] == 0)
                #expect(copied["failures"] == [])
                // Again: it is all there, and nothing is copied twice.
                let again = try await run("copy", first, server)
                #expect(again.status == 0)
                #expect(again.output.contains("copied          0 contents, 0 bytes\n"))
                #expect(again.output.contains("there already   40 contents\n"))

                let stat = try members(try await run("stat", "redis:file:\(url)", "--json"))
                #expect(stat["stored"] == 40)
                #expect(stat["expired"] == 0)
                #expect(try members(try await run("verify", server, "--json"))["intact"] == 40)
                let sweep = try await run("sweep", server, "--older-than", "1h", "--json")
                #expect(try members(sweep)["kept"] == 40)
                // What the store keeps for half a day only has been there for half a day before.
                let other = try await run(
                    "sweep", server, "--older-than", "1h", "--ttl", "17d", "--dry-run", "--json")
                #expect(try members(other)["removed"] == 40)

                let back = try await run("copy", server, "file://\(second)", "--json")
                #expect(back.status == 0, "\(back.error)")
                #expect(try members(back)["copied"] == 40)
                let target = FileWorkflowStore(directory: second)
                for content in try await source.contents(after: nil).contents {
                    #expect(
                        try await target.content(named: content.name) == source.content(named: content.name))
                }
            }
        }

        @Test func whatIsDamagedIsSaidAndHidesNothingElse() async throws {
            let scratch = try TemporaryDirectory()
            let (first, second) = (scratch.location.path + "/first", scratch.location.path + "/second")
            _ = try await fill(first)
            let files = try FileManager.default.subpathsOfDirectory(atPath: first).filter {
                ($0 as NSString).lastPathComponent.count == 64
            }
            let damaged = first + "/" + files[0]
            try Data("dramatiq-workflow 1 none 2\n[}".utf8).write(to: URL(filePath: damaged))
            let result = try await run("copy", first, second)
            #expect(result.status == 1)
            #expect(result.output.contains("copied          39 contents"))
            #expect(result.output.contains("not copied      1 content\n"))
            #expect(result.error == "Can't load '\(damaged)': The content is not what was stored\n")
            try Data("x".utf8).write(to: URL(filePath: second + "/note"))
            #expect(try await FileWorkflowStore(directory: second).directory.verify().intact == 39)
        }

        /// What version 1 has stored in Redis is named by barriers.
        @Test func contentsOfVersionOneAreCopiedWhereTheyCanBe() async throws {
            let scratch = try TemporaryDirectory()
            try await withRedisServer { server in
                let client = try RedisClient(url: server.url)
                let store = RedisWorkflowStore(client)
                _ = try await store.store(Self.contents[0], completionID: "4cbb1bf3-bd5c-4a9a-8d2b-1f0ea5b4f9d1")
                _ = try await store.store(Array("[}".utf8), completionID: "\u{1B}[31mdamaged")
                let elsewhere = try await run("copy", server.url, server.url, "--to-namespace", "other", "--json")
                #expect(elsewhere.status == 1)
                #expect(try members(elsewhere)["copied"] == 1)
                #expect(try members(elsewhere)["failed"] == 1)
                #expect(!elsewhere.error.contains("\u{1B}") && !elsewhere.output.contains("\u{1B}"))
                #expect(try await RedisWorkflowStore(client, namespace: "other").statistics().count == 1)
                let files = try await run("copy", server.url, scratch.location.path + "/files")
                #expect(files.status == 1)
                #expect(files.error.contains("which is not its digest"))
                let verify = try await run("verify", server.url, "--json")
                #expect(verify.status == 1)
                #expect(try members(verify)["intact"] == 1)
                #expect(try members(verify)["damaged"] == 1)
                await client.shutDown()
            }
        }

        @Test func whatNoPlaceIsSaysSo() async throws {
            let scratch = try TemporaryDirectory()
            for place in ["", "redis:host", "file://host/path", "file:"] {
                let result = try await run("stat", place)
                #expect(result.status == 64, "\(place)")
            }
            let none = try await run("copy", scratch.location.path + "/none", scratch.location.path + "/target")
            #expect(none.status == 1)
            #expect(none.error.contains("/none': No such file or directory"))
            let secret = try await run("stat", "redis://:geheim@127.0.0.1:1")
            #expect(secret.status == 1)
            #expect(!secret.error.contains("geheim"))
            let unset = try await run("verify", "redis:env:DRAMATIQ_NOT_SET")
            #expect(unset.status == 1)
            #expect(unset.error.contains("DRAMATIQ_NOT_SET is not set"))
        }

        /// The process is told to end while it copies to a server that stands still.
        #if os(Linux)
            @Test(arguments: [SIGINT, SIGTERM])
            func anInterruptedCopySaysWhatItDidAndGoesOn(signal: Int32) async throws {
                let scratch = try TemporaryDirectory()
                let path = scratch.location.path + "/first"
                _ = try await fill(path)
                try await withRedisServer { server in
                    let script = """
                        "$TOOL" storage copy '\(path)' '\(server.url)' --json & tool=$!
                        masks() { awk '/Sig(Ign|Cgt)/ { print $2 }' /proc/$tool/status; }
                        waits() { for mask in $(masks); do [ $((0x$mask & 0x4000)) = 0 ] || return 0; done; return 1; }
                        for _ in $(seq 600); do waits && break; sleep 0.1; done
                        kill -\(signal) $tool; wait $tool; echo "ended $?"
                        """
                    let client = try RedisClient(url: server.url)
                    // Answers nobody for as long as the process lives.
                    _ = try await client.execute(RedisCommand("CLIENT", "PAUSE", 20_000, "WRITE"))
                    let result = try await Tool.script(script, in: scratch)
                    _ = try await client.execute(RedisCommand("CLIENT", "UNPAUSE"))
                    #expect(result.output.hasSuffix("ended 130\n"), "\(result.output) \(result.error)")
                    #expect(result.error == "Interrupted\n")
                    #expect(result.output.contains("\"copied\":0"))
                    let again = try await run("copy", path, server.url, "--json")
                    #expect(try members(again)["copied"] == 40)
                    await client.shutDown()
                }
            }
        #endif

        @Test func theBarSaysHowFarItIs() async throws {
            #expect(CopyProgress.line(StoreCopyReport(), of: 10, isUnicode: false).text.hasPrefix("-----"))
            let store = InMemoryWorkflowStore()
            for number in 0..<4 { _ = try await store.store(Array("[\(number)]".utf8), completionID: "\(number)") }
            _ = try await store.store(Array("[".utf8), completionID: "damaged")
            var lines: [String] = []
            let report = try await store.copy(to: InMemoryWorkflowStore()) {
                lines.append(CopyProgress.line($0, of: 5, isUnicode: true).text)
            }
            #expect(report.copied == 4 && report.failureCount == 1)
            #expect(lines.count == 5)
            #expect(lines.last == String(repeating: "█", count: 30) + " 5 of 5, 12 B copied, 1 failed")
        }
    }
#endif
