#if Plugins
    import ArgumentParser
    import Foundation
    import RedisTestSupport
    import Testing
    import TestSupport

    @testable import CommandLineSupport
    @testable import WorkflowCLI

    /// A server's password need not stand among the arguments, and is never repeated.
    @Suite(.timeLimit(.minutes(10))) struct RedisAddressTests {
        private static let secret = "s3cr3t-of-the-test"

        @Test func aURLComesFromTheEnvironmentAFileOrTheArgument() async throws {
            let directory = try TemporaryDirectory()
            try directory.write(Array("\n redis://h/1 \n".utf8), "url")
            try directory.write([0xFF], "bytes")
            let path = directory.location.path
            let variables = ["DRAMATIQ_REDIS_URL": "redis://a", "MINE": "redis://b", "EMPTY": ""]
            func url(_ argument: String?) async throws -> String {
                try await RedisAddress(argument).url { variables[$0] }
            }
            #expect(try await url(nil) == "redis://a")
            #expect(try await url("env:MINE") == "redis://b")
            #expect(try await url("file:\(path)/url") == "redis://h/1")
            #expect(try await url("redis://c") == "redis://c")
            for argument in [
                "env:EMPTY", "env:NONE", "env:", "file:\(path)/bytes", "file:\(path)/none", "file:\(path)",
            ] {
                await #expect(throws: (any Error).self, "\(argument)") { _ = try await url(argument) }
            }
            let error = await #expect(throws: RedisAddressError.self) {
                _ = try await RedisAddress().url { _ in nil }
            }
            #expect("\(try #require(error))".contains("DRAMATIQ_REDIS_URL"))
        }

        /// Each command that needs a server, with a password that only the environment or a file has.
        @Test(arguments: ["environment", "named", "file"])
        func everyCommandTakesThem(way: String) async throws {
            var setup = RedisServer.Setup.plain
            setup.directives = ["requirepass \(Self.secret)"]
            setup.credentials = ":\(Self.secret)@"
            try await withRedisServer(setup) { server in
                let directory = try TemporaryDirectory()
                let url = server.url
                try directory.write(Array((url + "\n").utf8), "url")
                let (launcher, value): ([String], String?) =
                    switch way {
                    case "environment": (["env", "DRAMATIQ_REDIS_URL=\(url)"], nil)
                    case "named": (["env", "OTHER=\(url)"], "env:OTHER")
                    default: (["env"], "file:\(directory.location.path)/url")
                    }
                let redis = value.map { ["--redis", $0] } ?? []
                for arguments in [
                    ["queues"], ["dead-letters"], ["dead-letters", "requeue", "--all"],
                    ["dead-letters", "purge", "--all", "--yes"],
                ] {
                    let result = try await Tool.run(arguments + redis, through: launcher)
                    #expect(result.status == 0, "\(arguments): \(result.error)")
                }
                let sampled = value ?? "env:DRAMATIQ_REDIS_URL"
                let measured = try await Tool.run(["measure", "--sample-redis", sampled], through: launcher)
                #expect(measured.error.contains("no messages"))
                // Without it there is no way in, and what is wrong is said without the password.
                let wrong = url.replacing(Self.secret, with: "wrong-" + Self.secret)
                let refused = try await Tool.run(["queues"], through: ["env", "DRAMATIQ_REDIS_URL=\(wrong)"])
                #expect(refused.status != 0)
                #expect(!refused.error.contains(Self.secret) && !refused.output.contains(Self.secret))
            }
        }

        private static let mistakes: [[String]] = {
            let urls = [
                "redis://:\(secret)@127.0.0.1:1", "redis:/:\(secret)@h", "http://u:\(secret)@h",
                "redis://h?password=\(secret)",
                "redis://u:\(secret)@h:port", "redis://:a \(secret)@h", "redis://:\(secret)#@h",
                "rediss://:\(secret)@h?x=1",
                "unix://:\(secret)@", "redis://:\(secret)\u{1B}[2J@h", "redis://:é\(secret)'\"@h",
            ]
            return urls.flatMap { url in
                [
                    ["queues", "--redis", url], ["queues", "--redis=\(url)"], ["queues", url],
                    ["queues", "--reddis", url],
                    ["queues", "--redis", "redis://127.0.0.1:1", url],
                    ["dead-letters", "--redis", url, "--limit", "x"],
                    ["dead-letters", "--limit", url], ["measure", "--sample-redis", url],
                    ["queues", "--redis", "file:" + url],
                    ["queues", "--redis", "env:" + url], [url], ["storage", "sweep", "x", "--older-than", url],
                ]
            }
        }()

        @Test(arguments: mistakes)
        func noErrorRepeatsThePassword(arguments: [String]) async throws {
            let result = try await Tool.run(arguments)
            #expect(result.status != 0)
            #expect(!result.error.contains(Self.secret), "\(arguments)")
            #expect(!result.output.contains(Self.secret), "\(arguments)")
        }

        @Test func theHelpNamesTheSafeWaysFirst() async throws {
            for command in [
                ["queues", "list"], ["queues", "pause"], ["dead-letters", "list"], ["dead-letters", "purge"],
                ["measure"],
            ] {
                let help = try await Tool.run(command + ["--help"]).output.split(whereSeparator: \.isWhitespace)
                    .joined(separator: " ")
                #expect(help.contains("env:"))
                #expect(help.contains("file:"))
            }
        }
    }
#endif
