import DramatiqRedis
import RedisTestSupport
import ServiceLifecycle
import TestSupport
import Testing

/// Against a real server.
@Suite(.timeLimit(.minutes(10))) struct RedisClientTests {
    @Test func commandsAreAnswered() async throws {
        try await withRedisServer { server in
            try await withRedis(server.url) { redis in
                #expect(try await redis.execute(RedisCommand("SET", "key", [1, 2, 255] as [UInt8])).string() == "OK")
                #expect(try await redis.execute(RedisCommand("GET", "key")).bytes() == [1, 2, 255])
                #expect(try await redis.execute(RedisCommand("GET", "nothing")).isNull)
                let error = await redisError { try await redis.execute(RedisCommand("INCR", "key")) }
                #expect(error?.code == .server && error?.serverCode == "ERR" && error?.mayHaveTakenEffect == false)
                // RESP3: a map, not an array.
                _ = try await redis.execute(RedisCommand("HSET", "hash", "a", 1))
                let hash = try await redis.execute(RedisCommand("HGETALL", "hash"))
                #expect(hash == .map([.init(key: .string("a"), value: .string("1"))]))
            }
        }
    }

    @Test func pipelinesKeepTheirOrderAndTheirErrors() async throws {
        try await withRedisServer { server in
            try await withRedis(server.url) { redis in
                let results = try await redis.pipeline(
                    (0..<1000).map { $0 % 100 == 7 ? RedisCommand("NONSENSE") : RedisCommand("ECHO", $0) })
                for (index, result) in results.enumerated() {
                    if index % 100 == 7 {
                        #expect(throws: RedisError.self) { try result.get() }
                    } else {
                        #expect(try result.get().integer() == index)
                    }
                }
                #expect(try await redis.pipeline([]).isEmpty)
            }
        }
    }

    @Test func aUnixSocketAndADatabase() async throws {
        try await withRedisServer { server in
            try await withRedis("unix://\(server.socketPath)?db=3&client_name=tester") { redis async throws in
                #expect(try await redis.execute(RedisCommand("CLIENT", "INFO")).string().contains(" db=3 "))
                #expect(try await redis.execute(RedisCommand("CLIENT", "GETNAME")).string() == "tester")
                // And again on the next connection.
                try await loseConnection(redis)
                #expect(try await redis.execute(RedisCommand("CLIENT", "INFO")).string().contains(" db=3 "))
            }
        }
    }

    @Test func largeValuesInBothDirections() async throws {
        try await withRedisServer { server in
            try await withRedis(server.url) { redis in
                let large = (0..<5_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for number in 0..<8 {
                        group.addTask {
                            let results = try await redis.pipeline([
                                RedisCommand("SET", "large\(number)", large), RedisCommand("INCR", "count"),
                                RedisCommand("GET", "large\(number)"),
                            ])
                            #expect(try results[2].get().bytes() == large)
                        }
                        // Small ones squeeze in between, and while the socket takes no more.
                        group.addTask { () async throws in
                            for round in 0..<50 {
                                #expect(try await redis.execute(RedisCommand("ECHO", round)).integer() == round)
                            }
                        }
                    }
                    try await group.waitForAll()
                }
                // Each was sent once.
                #expect(try await redis.execute(RedisCommand("GET", "count")).integer() == 8)
                let elements = try await redis.execute(
                    RedisCommand("EVAL", "local t = {} for i = 1, 200000 do t[i] = i end return t", 0)
                ).array()
                #expect(try elements.map { try $0.integer() } == Array(1...200_000))
            }
        }
    }

    @Test func manyTasksShareTheConnection() async throws {
        try await withRedisServer { server in
            try await withRedis(server.url) { redis in
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for task in 0..<100 {
                        group.addTask { () async throws in
                            for round in 0..<100 {
                                let text = "\(task)-\(round)"
                                #expect(try await redis.execute(RedisCommand("ECHO", text)).string() == text)
                            }
                        }
                    }
                    try await group.waitForAll()
                }
                let statistics = try await redis.execute(RedisCommand("INFO", "stats")).string()
                #expect(statistics.contains("total_connections_received:1\r\n"))
            }
        }
    }

    // MARK: Scripts

    @Test func scriptsAreSentOnceAndAgainWhenTheServerLostThem() async throws {
        try await withRedisServer { server in
            try await withRedis(server.url) { redis in
                let script = RedisScript("return {KEYS[1], ARGV[1], ARGV[2]}")
                for _ in 0..<3 {
                    let values = try await redis.evaluate(script, keys: ["k"], 1, list: ["x"]).array()
                    #expect(try values.map { try $0.string() } == ["k", "1", "x"])
                }
                #expect(try await calls(of: "eval", redis) == 1)
                #expect(try await calls(of: "evalsha", redis) == 2)
                _ = try await redis.execute(RedisCommand("SCRIPT", "FLUSH"))
                let results = try await redis.pipeline([
                    RedisCommand("SET", "a", 1), RedisCommand(script, keys: ["k"], "y", "z"), RedisCommand("GET", "a"),
                    RedisCommand(script, keys: ["l"], "y", "z"),
                ])
                #expect(try results.map { try $0.get() }[1].array().first == .string("k"))
                #expect(try results.map { try $0.get() }[2].integer() == 1)
                #expect(try results.map { try $0.get() }[3].array().first == .string("l"))
            }
        }
    }

    @Test func aScriptThatTheServerForgetsAllTheTimeStillRuns() async throws {
        try await withRedisServer { server in
            try await withRedis(server.url) { redis in
                let script = RedisScript("return redis.call('INCR', KEYS[1])")
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for _ in 0..<4 {
                        group.addTask {
                            for _ in 0..<200 { _ = try await redis.evaluate(script, keys: ["count"]) }
                        }
                    }
                    group.addTask {
                        for _ in 0..<200 { _ = try await redis.execute(RedisCommand("SCRIPT", "FLUSH")) }
                    }
                    try await group.waitForAll()
                }
                #expect(try await redis.execute(RedisCommand("GET", "count")).integer() == 800)
            }
        }
    }

    @Test func aScriptThatFailsIsTheServersError() async throws {
        try await withRedisServer { server in
            try await withRedis(server.url) { redis in
                for _ in 0..<2 {
                    let error = await redisError { try await redis.evaluate(RedisScript("this is no Lua"), keys: []) }
                    #expect(error?.code == .server && error?.isTransient == false)
                }
                let raising = RedisScript("return redis.error_reply('MINE all mine')")
                for _ in 0..<2 {
                    let error = await redisError { try await redis.evaluate(raising, keys: []) }
                    #expect(error?.serverCode == "MINE")
                }
            }
        }
    }

    // MARK: Cancellation

    @Test func cancelledCommandsShiftNoAnswers() async throws {
        try await withRedisServer { server in
            try await withRedis(server.url) { redis in
                let id = try await redis.execute(RedisCommand("CLIENT", "ID")).integer()
                for _ in 0..<20 {
                    try await withThrowingTaskGroup(of: Void.self) { group in
                        let doomed = Recorder<Task<Void, any Error>>()
                        for number in 0..<50 {
                            doomed.add(
                                Task {
                                    let echo = RedisCommand("ECHO", "doomed-\(number)")
                                    let results = try await redis.pipeline([echo, echo])
                                    for result in results {
                                        #expect(try result.get().string() == "doomed-\(number)")
                                    }
                                })
                            group.addTask { () async throws in
                                #expect(try await redis.execute(RedisCommand("ECHO", number)).integer() == number)
                            }
                        }
                        group.addTask { for task in doomed.values { task.cancel() } }
                        try await group.waitForAll()
                        for task in doomed.values { _ = await task.result }
                    }
                }
                #expect(try await redis.execute(RedisCommand("CLIENT", "ID")).integer() == id)
            }
        }
    }

    @Test func cancellingEndsTheWaitAtOnce() async throws {
        try await withRedisServer { server in
            try await withRedis(server.url) { redis in
                let id = try await redis.execute(RedisCommand("CLIENT", "ID")).integer()
                let slow = try await withHeldWrites(server) { other in
                    let slow = Task { try await redis.execute(RedisCommand("SET", "slow", 1)) }
                    try await expectHeldWrite(other)
                    slow.cancel()
                    return await slow.result
                }
                #expect(throws: CancellationError.self) { try slow.get() }
                #expect(try await redis.execute(RedisCommand("ECHO", "behind")).string() == "behind")
                #expect(try await redis.execute(RedisCommand("CLIENT", "ID")).integer() == id)
                let cancelled = Task {
                    withUnsafeCurrentTask { $0?.cancel() }
                    return try await redis.execute(RedisCommand("SET", "never", 1))
                }
                await #expect(throws: CancellationError.self) { try await cancelled.value }
                #expect(try await redis.execute(RedisCommand("EXISTS", "never")).integer() == 0)
            }
        }
    }

    // MARK: Blocking

    @Test func blockingCommandsHoldNobodyUp() async throws {
        try await withRedisServer { server in
            try await withRedis(server.url) { redis in
                let waiting = Task {
                    try await redis.block(
                        RedisCommand("BLMOVE", "queue", "queue", "LEFT", "LEFT", 60), timeout: .seconds(60))
                }
                for number in 0..<100 {
                    #expect(try await redis.execute(RedisCommand("ECHO", number)).integer() == number)
                }
                _ = try await redis.execute(RedisCommand("RPUSH", "queue", "a", "b"))
                #expect(try await waiting.value.string() == "a")
                #expect(
                    try await redis.block(
                        RedisCommand("BLMOVE", "none", "none", "LEFT", "LEFT", 0.05), timeout: .milliseconds(50)
                    ).isNull)
            }
        }
    }

    @Test func cancellingABlockingCommandClosesItsConnectionOnly() async throws {
        try await withRedisServer { server in
            try await withRedis(server.url) { redis in
                let id = try await redis.execute(RedisCommand("CLIENT", "ID")).integer()
                for _ in 0..<10 {
                    let waiting = Task { try await redis.block(RedisCommand("BLPOP", "queue", 0), timeout: nil) }
                    try await eventually { try await blockedClients(redis) == 1 }
                    waiting.cancel()
                    await #expect(throws: CancellationError.self) { try await waiting.value }
                    // The next one gets a fresh connection at once, although the old one may still be closing.
                    let next = Task { try await redis.block(RedisCommand("BLPOP", "other", 0), timeout: nil) }
                    try await eventually { try await blockedClients(redis) == 1 }
                    _ = try await redis.execute(RedisCommand("RPUSH", "other", "x"))
                    #expect(try await next.value.array().last == .string("x"))
                }
                _ = try await redis.execute(RedisCommand("RPUSH", "queue", "kept"))
                #expect(try await redis.execute(RedisCommand("LPOP", "queue")).string() == "kept")
                #expect(try await redis.execute(RedisCommand("CLIENT", "ID")).integer() == id)
            }
        }
    }

    @Test func blockingConnectionsAreUsedAgainAndBounded() async throws {
        try await withRedisServer { server in
            try await withRedis(server.url, { $0.maxBlockingConnections = 2 }) { redis in
                for _ in 0..<20 {
                    _ = try await redis.block(RedisCommand("BLPOP", "queue", 0.01), timeout: .milliseconds(10))
                }
                let statistics = try await redis.execute(RedisCommand("INFO", "stats")).string()
                #expect(statistics.contains("total_connections_received:2\r\n"))
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for _ in 0..<2 {
                        group.addTask { _ = try await redis.block(RedisCommand("BLPOP", "queue", 0), timeout: nil) }
                    }
                    try await eventually { try await blockedClients(redis) == 2 }
                    let error = await redisError {
                        try await redis.block(RedisCommand("BLPOP", "queue", 0), timeout: nil)
                    }
                    #expect(error?.code == .queueFull && error?.isTransient == true)
                    group.cancelAll()
                    while let result = await group.nextResult() {
                        #expect(throws: CancellationError.self) { try result.get() }
                    }
                }
            }
        }
    }

    @Test func anUnusedBlockingConnectionIsClosed() async throws {
        try await withRedisServer { server in
            try await withRedis(server.url, { $0.blockingIdleTimeout = .milliseconds(50) }) { redis in
                for _ in 0..<2 {
                    _ = try await redis.block(RedisCommand("BLPOP", "queue", 0.01), timeout: .milliseconds(10))
                    try await eventually {
                        try await redis.execute(RedisCommand("INFO", "clients")).string()
                            .contains("connected_clients:1\r\n")
                    }
                }
            }
        }
    }

    // MARK: Life

    @Test func asAServiceItConnectsEarlyAndClosesAtTheEnd() async throws {
        // Whatever order a service group has: those who end later can use it all the same.
        try await withRedisServer { server in
            let redis = try RedisClient(url: server.url)
            try await withRedis(server.url) { other in
                let running = Task { try await redis.run() }
                try await eventually {
                    try await other.execute(RedisCommand("INFO", "clients")).string().contains(
                        "connected_clients:2\r\n")
                }
                #expect(try await redis.execute(RedisCommand("ECHO", "a")).string() == "a")
                running.cancel()
                try await running.value
                try await eventually {
                    try await other.execute(RedisCommand("INFO", "clients")).string().contains(
                        "connected_clients:1\r\n")
                }
                #expect(try await redis.execute(RedisCommand("ECHO", "b")).string() == "b")
                #expect(try await redis.block(RedisCommand("ECHO", "c"), timeout: nil).string() == "c")
                await redis.shutDown()
                for attempt in [
                    { try await redis.execute(RedisCommand("PING")) },
                    { try await redis.block(RedisCommand("PING"), timeout: nil) },
                ] {
                    let error = await redisError(attempt)
                    #expect(error?.code == .clientClosed && error?.isTransient == false)
                }
            }
        }
    }

    @Test func aClientThatIsDroppedClosesItsConnections() async throws {
        try await withRedisServer { server in
            try await withRedis(server.url) { other in
                do {
                    let redis = try RedisClient(url: server.url)
                    _ = try await redis.execute(RedisCommand("PING"))
                    _ = try await redis.block(RedisCommand("PING"), timeout: nil)
                }
                try await eventually {
                    try await other.execute(RedisCommand("INFO", "clients")).string().contains(
                        "connected_clients:1\r\n")
                }
            }
        }
    }

    private func calls(of command: String, _ redis: RedisClient) async throws -> Int {
        let lines = try await redis.execute(RedisCommand("INFO", "commandstats")).string().split(separator: "\r\n")
        let line = lines.first { $0.hasPrefix("cmdstat_\(command):calls=") }
        return line.flatMap { Int($0.split(separator: "=")[1].prefix { $0 != "," }) } ?? 0
    }

    private func blockedClients(_ redis: RedisClient) async throws -> Int {
        let lines = try await redis.execute(RedisCommand("INFO", "clients")).string().split(separator: "\r\n")
        return lines.first { $0.hasPrefix("blocked_clients:") }.flatMap { Int($0.dropFirst(16)) } ?? -1
    }
}
