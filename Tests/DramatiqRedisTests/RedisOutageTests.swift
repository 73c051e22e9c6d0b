import DramatiqRedis
import RedisTestSupport
import TestSupport
import Testing

/// Servers that go away, come back, are slow, full or wrong.
@Suite(.timeLimit(.minutes(10))) struct RedisOutageTests {
    private let log = RecordingLog()

    @Test func aRestartIsSurvived() async throws {
        try await withRedisServer(.appendOnly) { server in
            try await withRedis(server.url, log: log) { redis in
                let script = RedisScript("return redis.call('INCR', KEYS[1])")
                #expect(try await redis.evaluate(script, keys: ["count"]).integer() == 1)
                for round in 2...4 {
                    try await server.restart()
                    // The connection may be found lost only now; the second attempt is sure to work.
                    if round == 2 { _ = try? await redis.execute(RedisCommand("PING")) }
                    try await eventually {
                        (try? await redis.execute(RedisCommand("PING"))) != nil
                    }
                    #expect(try await redis.evaluate(script, keys: ["count"]).integer() == round)
                }
            }
        }
    }

    @Test func noServerIsATransientErrorAndThenItWorks() async throws {
        let server = try await RedisServer()
        server.kill()
        try await withRedis(server.url, log: log) { redis in
            // A burst waits for one attempt and fails with it.
            await withTaskGroup(of: Void.self) { group in
                for _ in 0..<100 {
                    group.addTask {
                        let error = await redisError { try await redis.execute(RedisCommand("PING")) }
                        #expect(error?.code == .connectionFailed && error?.isTransient == true)
                        #expect(error?.mayHaveTakenEffect == false)
                    }
                }
            }
            let error = await redisError { try await redis.block(RedisCommand("PING"), timeout: nil) }
            #expect(error?.code == .connectionFailed)
            try await server.start()
            try await eventually { (try? await redis.execute(RedisCommand("PING"))) != nil }
        }
        server.kill()
        #expect(log.complaints.count == 2, "one for each connection's outage")
    }

    @Test func killedConnectionsFailWhatIsUnderWayAndAreMadeAgain() async throws {
        try await withRedisServer { server in
            try await withRedis(server.url, log: log) { redis in
                try await withRedis(server.url) { killer in
                    try await withThrowingTaskGroup(of: Int.self) { group in
                        for _ in 0..<8 {
                            group.addTask {
                                var failures = 0
                                for round in 0..<300 {
                                    let error = await redisError {
                                        let echo = try await redis.execute(RedisCommand("ECHO", round))
                                        #expect(try echo.integer() == round)
                                    }
                                    guard let error else { continue }
                                    #expect(error.code == .connectionClosed || error.code == .connectionFailed)
                                    #expect(error.isTransient)
                                    failures += 1
                                }
                                return failures
                            }
                        }
                        group.addTask {
                            for _ in 0..<30 {
                                _ = try await killer.execute(RedisCommand("CLIENT", "KILL", "TYPE", "normal"))
                                try await Task.sleep(for: .milliseconds(3))
                            }
                            return 0
                        }
                        _ = try await group.reduce(0, +)
                    }
                    #expect(try await redis.execute(RedisCommand("ECHO", "well")).string() == "well")
                }
            }
        }
    }

    @Test func aBlockingCommandWhoseConnectionIsKilledFailsAtOnce() async throws {
        try await withRedisServer { server in
            try await withRedis(server.url) { redis in
                let waiting = Task {
                    await redisError { try await redis.block(RedisCommand("BLPOP", "queue", 0), timeout: nil) }
                }
                try await eventually {
                    try await redis.execute(RedisCommand("INFO", "clients")).string().contains("blocked_clients:1\r\n")
                }
                _ = try await redis.execute(RedisCommand("CLIENT", "KILL", "SKIPME", "yes"))
                let error = await waiting.value
                #expect(error?.code == .connectionClosed && error?.mayHaveTakenEffect == true)
            }
        }
    }

    // MARK: Slow servers

    @Test func aSlowServerFailsCommandsInTimeAndShiftsNoAnswers() async throws {
        try await withRedisServer { server in
            try await withRedis(server.url, { $0.commandTimeout = .milliseconds(300) }) { redis async throws in
                try await eventually { (try? await redis.execute(RedisCommand("PING"))) != nil }
                server.suspend()
                let error = await redisError { try await redis.execute(RedisCommand("ECHO", "slow")) }
                // Once it is awake it sends what nobody waits for any longer.
                server.resume()
                #expect(error?.code == .commandTimeout && error?.isTransient == true)
                #expect(error?.mayHaveTakenEffect == true)
                for number in 0..<10 {
                    var reply: RESPValue?
                    try await eventually {
                        reply = try? await redis.execute(RedisCommand("ECHO", number))
                        return reply != nil
                    }
                    #expect(reply == .string("\(number)"))
                }
            }
        }
    }

    @Test func anAnswerThatComesTooLateIsDroppedAndItsConnectionKept() async throws {
        try await withScriptedServer { _, command in
            command == "ECHO slow" ? .silence : .bytes("+slow\r\n+\(command)\r\n")
        } _: { server in
            try await withRedis(server.url, { $0.commandTimeout = .seconds(1) }) { redis async throws in
                let error = await redisError { try await redis.execute(RedisCommand("ECHO", "slow")) }
                #expect(error?.code == .commandTimeout)
                // On a machine that is slow this one may be too late as well, and the connection is given up.
                guard let reply = try? await redis.execute(RedisCommand("ECHO", "next")) else { return }
                #expect(try reply.string() == "ECHO next")
                #expect(server.connections == 1)
            }
        }
    }

    @Test func aServerThatSaysNothingAtAllIsGivenUp() async throws {
        try await withScriptedServer { connection, _ in
            connection == 1 ? .silence : .bytes("+answer\r\n")
        } _: { server in
            try await withRedis(server.url, log: log, { $0.commandTimeout = .milliseconds(300) }) { redis in
                let error = await redisError { try await redis.execute(RedisCommand("PING")) }
                #expect(error?.code == .commandTimeout)
                try await eventually {
                    (try? await redis.execute(RedisCommand("PING")).string()) == "answer"
                }
                #expect(log.complaints.contains { $0.metadata["error"]?.contains("silent for too long") == true })
            }
        }
    }

    @Test func aServerThatNeverGreetsTimesOut() async throws {
        try await withScriptedServer(seesHello: true) { _, _ in
            .silence
        } _: { server in
            try await withRedis(server.url, { $0.connectTimeout = .milliseconds(100) }) { redis in
                for _ in 0..<2 {
                    let error = await redisError { try await redis.execute(RedisCommand("PING")) }
                    #expect(error?.code == .connectTimeout && error?.mayHaveTakenEffect == false)
                    #expect(error?.isTransient == true)
                }
            }
        }
    }

    @Test func aBlockingCommandThatTakesTooLongIsGivenUp() async throws {
        try await withRedisServer { server in
            try await withRedis(server.url, { $0.commandTimeout = .seconds(1) }) { redis in
                try await eventually { (try? await redis.block(RedisCommand("PING"), timeout: .zero)) != nil }
                let error = await redisError {
                    try await redis.block(RedisCommand("BLPOP", "queue", 0), timeout: .milliseconds(50))
                }
                #expect(error?.code == .commandTimeout && error?.mayHaveTakenEffect == true)
                try await eventually {
                    let clients = try? await redis.execute(RedisCommand("INFO", "clients")).string()
                    return clients?.contains("connected_clients:1\r\n") ?? false
                }
            }
        }
    }

    // MARK: Bounds

    @Test func theQueueIsBounded() async throws {
        try await withScriptedServer { _, command in
            command == "ECHO go" ? .bytes(String(repeating: "+a\r\n", count: 10)) : .silence
        } _: { server in
            try await withRedis(server.url, { $0.maxPendingCommands = 10 }) { redis in
                for _ in 0..<3 {
                    let waiting = Task { try await redis.pipeline((0..<9).map { _ in RedisCommand("PING") }) }
                    try await eventually { server.commands.values.last?.text == "PING" }
                    let error = await redisError {
                        try await redis.pipeline([RedisCommand("A"), RedisCommand("B")])[1].get()
                    }
                    #expect(error?.code == .queueFull && error?.isTransient == true)
                    #expect(error?.mayHaveTakenEffect == false)
                    _ = try await redis.execute(RedisCommand("ECHO", "go"))
                    for result in try await waiting.value { #expect(try result.get().string() == "a") }
                    server.commands.add((0, "next"))
                }
                // One that is larger than the bound goes alone.
                try await withRedisServer { other in
                    try await withRedis(other.url, { $0.maxPendingCommands = 10 }) { redis in
                        let large = try await redis.pipeline((0..<500).map { RedisCommand("ECHO", $0) })
                        #expect(try large.map { try $0.get().integer() } == Array(0..<500))
                    }
                }
            }
        }
    }

    @Test func aFullServerIsATransientErrorOfCommandsAndScripts() async throws {
        try await withRedisServer(.small) { server in
            try await withRedis(server.url) { redis in
                let value = [UInt8](repeating: 1, count: 100_000)
                let filling = try await redis.pipeline((0..<50).map { RedisCommand("SET", "key\($0)", value) })
                let script = RedisScript("return redis.call('SET', KEYS[1], ARGV[1])")
                for attempt in [
                    { _ = try filling.last?.get() },
                    { _ = try await redis.evaluate(script, keys: ["one"], value) },
                    { _ = try await redis.evaluate(script, keys: ["one"], value) },
                ] as [@Sendable () async throws -> Void] {
                    let error = await redisError(attempt)
                    #expect(error?.code == .server && error?.isTransient == true, "\(String(describing: error))")
                    #expect(error?.mayHaveTakenEffect == false)
                }
                _ = try await redis.execute(RedisCommand("FLUSHALL"))
                #expect(try await redis.evaluate(script, keys: ["one"], value).string() == "OK")
            }
        }
    }

    // MARK: Wrong servers

    @Test func aServerThatBecameAReplicaIsLeftForTheNewMaster() async throws {
        try await withRedisServer { server in
            try await withRedis(server.url) { redis in
                let id = try await redis.execute(RedisCommand("CLIENT", "ID")).integer()
                _ = try await redis.execute(RedisCommand("REPLICAOF", "127.0.0.1", 1))
                let script = RedisScript("return redis.call('SET', KEYS[1], 1)")
                let error = await redisError { try await redis.evaluate(script, keys: ["key"]) }
                #expect(error?.serverCode == "READONLY" && error?.isTransient == true)
                #expect(try await redis.execute(RedisCommand("CLIENT", "ID")).integer() > id)
                _ = try await redis.execute(RedisCommand("REPLICAOF", "NO", "ONE"))
                #expect(try await redis.evaluate(script, keys: ["key"]).string() == "OK")
            }
        }
    }

    @Test func anOldServerIsSpokenToInTheOldProtocol() async throws {
        try await withScriptedServer(seesHello: true) { _, command in
            switch command.prefix(4) {
            case "HELL": .bytes("-ERR unknown command 'HELLO'\r\n")
            case "AUTH", "SELE": .bytes("+OK\r\n")
            default: .bytes("*2\r\n$-1\r\n*-1\r\n")
            }
        } _: { server in
            try await withRedis(server.url.replacing("//", with: "//:pw@") + "?db=2") { redis async throws in
                #expect(try await redis.execute(RedisCommand("PING")).array() == [.null, .null])
                #expect(
                    server.commands.values.map(\.text) == ["HELLO 3 AUTH default pw", "AUTH pw", "SELECT 2", "PING"])
            }
        }
    }

    @Test func whatNobodyAskedForAnswersNothing() async throws {
        try await withScriptedServer { _, command in
            .bytes(">2\r\n+message\r\n:1\r\n|1\r\n+ttl\r\n:3\r\n+\(command)\r\n>1\r\n+late\r\n")
        } _: { server in
            try await withRedis(server.url) { redis async throws in
                for number in 0..<20 {
                    #expect(try await redis.execute(RedisCommand("ECHO", number)).string() == "ECHO \(number)")
                }
            }
        }
    }

    /// A reply that comes before anything was asked would be taken for the first answer, and so on.
    @Test(arguments: [
        "+OK\r\n", "-ERR something\r\n", ":1\r\n", "$-1\r\n", "*0\r\n", "%1\r\n+proto\r\n:3\r\n",
        ">2\r\n+message\r\n:1\r\n", "+OK\r\n+OK\r\n",
    ])
    func anAnswerTooManyAtTheBeginningShiftsNothing(bytes: String) async throws {
        for separately in [false, true] {
            let greeting = "%1\r\n+proto\r\n:3\r\n"
            try await withScriptedServer(seesHello: true) { connection, command in
                if command.hasPrefix("HELLO") {
                    return .bytes(connection > 2 ? greeting : separately ? bytes : bytes + greeting)
                }
                return .bytes((connection <= 2 && separately ? greeting : "") + "+\(command)\r\n")
            } _: { server in
                try await withRedis(server.url, log: log, { $0.minBackoff = .milliseconds(1) }) { redis async throws in
                    var failures: Set<String> = []
                    try await eventually {
                        let error = await redisError {
                            // Never another one's.
                            for number in 0..<3 {
                                let reply = try await redis.execute(RedisCommand("ECHO", number))
                                #expect(reply == .string("ECHO \(number)"), "\(bytes.debugDescription)")
                            }
                        }
                        if let error { failures.insert("\(error.code)") }
                        return error == nil
                    }
                    // What had not been sent waits for the next connection.
                    #expect(failures.isSubset(of: ["malformedReply"]), "\(bytes.debugDescription) \(separately)")
                    #expect(server.connections >= 3)
                }
            }
        }
    }

    @Test func aConnectionThatEndsInTheMiddleOfAnAnswerFailsIt() async throws {
        try await withScriptedServer { _, command in
            command == "ECHO end" ? .close : .bytes("*3\r\n+one\r\n")
        } _: { server in
            try await withRedis(server.url) { redis in
                let results = try await redis.pipeline([RedisCommand("ECHO", "begin"), RedisCommand("ECHO", "end")])
                for result in results {
                    let error = await redisError { try result.get() }
                    #expect(error?.code == .connectionClosed && error?.mayHaveTakenEffect == true)
                }
            }
        }
    }

    @Test(arguments: ["?\r\n", "$-7\r\n", "*99999999999999\r\n", "+first\r\n+second\r\n"])
    func bytesThatAreNoReplyEndTheConnectionWithATypedError(bytes: String) async throws {
        try await withScriptedServer { connection, _ in
            .bytes(connection == 1 ? bytes : "+well\r\n")
        } _: { server in
            try await withRedis(server.url, log: log) { redis in
                let results = try await redis.pipeline([RedisCommand("PING")])
                if case .failure(let error) = results[0] {
                    #expect(error.code == .malformedReply && !error.isTransient && error.mayHaveTakenEffect)
                } else {
                    // The answer that is too many comes behind the right one.
                    #expect(bytes.hasPrefix("+first"))
                }
                try await eventually { (try? await redis.execute(RedisCommand("PING")).string()) == "well" }
            }
        }
    }
}
