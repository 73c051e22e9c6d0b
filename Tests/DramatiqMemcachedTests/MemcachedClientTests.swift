import Dramatiq
import NIOCore
import TestSupport
import Testing

@testable import DramatiqMemcached

@Suite(.timeLimit(.minutes(10))) struct MemcachedClientTests {
    private func get(_ client: MemcachedClient, _ key: String = "k") async throws -> KnownEntry? {
        try await client.entry(key)
    }

    // MARK: Outages

    @Test func aServerThatComesBackIsFoundAgain() async throws {
        let log = RecordingLog()
        try await withMemcachedServers(1) { servers in
            try await withMemcached([servers[0].address], log: log) {
                $0.maxBackoff = .milliseconds(100)
            } _: { client async throws in
                try await client.verifyServers()
                for _ in 0..<3 {
                    servers[0].kill()
                    try await eventually { await memcachedError { try await get(client) }?.code == .connectionFailed }
                    let error = await memcachedError { try await get(client) }
                    #expect(error?.isTransient == true && error?.isOutage == true)
                    #expect(error?.server == servers[0].address)
                    #expect(error?.mayHaveTakenEffect == false)
                    try await servers[0].start()
                    try await eventually { await memcachedError { try await get(client) } == nil }
                }
                #expect(log.complaints.filter { $0.message.contains("No connection to Memcached") }.count == 3)
            }
        }
    }

    @Test func onlyTheKeysOfAServerThatIsGoneAreOut() async throws {
        try await withMemcachedServers(2) { servers in
            try await withMemcached(servers.map(\.address)) { client async throws in
                servers[0].kill()
                for number in 0..<50 {
                    let key = "key \(number)".replacing(" ", with: "-")
                    let isGone = ServerHash.place(of: key, among: 2) == 0
                    let error = await memcachedError { try await client.add(key, Entry(1), Expiry(.seconds(9))) }
                    #expect((error != nil) == isGone)
                }
                #expect(await memcachedError { try await client.verifyServers() }?.isTransient == true)
            }
        }
    }

    @Test func aServerThatSaysNothingLosesItsConnection() async throws {
        try await withMemcachedServers(1) { servers in
            try await withMemcached([servers[0].address]) {
                $0.commandTimeout = .milliseconds(200)
            } _: { client async throws in
                try await client.verifyServers()
                servers[0].suspend()
                let error = await memcachedError { try await client.add("k", Entry(1), Expiry(.seconds(100))) }
                #expect(error?.code == .commandTimeout)
                #expect(error?.isTransient == true && error?.mayHaveTakenEffect == true)
                servers[0].resume()
                try await eventually { await memcachedError { try await get(client) } == nil }
            }
        }
    }

    @Test func noConnectionIsMadeInVainAgainAndAgain() async throws {
        let server = try await ScriptedMemcached { _ in nil }
        try await withMemcached([server.address]) {
            $0.minBackoff = .seconds(1000)
            $0.maxBackoff = .seconds(1000)
        } _: { client async throws in
            #expect(await memcachedError { try await get(client) }?.code == .connectionClosed)
            for _ in 0..<50 { #expect(await memcachedError { try await get(client) }?.isTransient == true) }
            #expect(server.connections == 1)
        }
    }

    // MARK: Bounds

    @Test func onlySoManyCommandsWait() async throws {
        let server = try await ScriptedMemcached { _ in "" }
        try await withMemcached([server.address]) {
            $0.maxPendingCommands = 10
            $0.commandTimeout = .seconds(1000)
        } _: { client async throws in
            try await withThrowingTaskGroup(of: MemcachedError?.self) { group in
                for _ in 0..<15 { group.addTask { await memcachedError { try await get(client) } } }
                for _ in 0..<5 {
                    let error = try await group.next() ?? nil
                    #expect(error?.code == .queueFull)
                    #expect(error?.isTransient == true && error?.mayHaveTakenEffect == false)
                }
                // A command whose task is cancelled still waits for its answer.
                group.cancelAll()
                while let error = try await group.next() { #expect(error == nil) }
            }
            #expect(await memcachedError { try await get(client) }?.code == .queueFull)
        }
    }

    @Test func everyTimeOfAClientIsBounded() async throws {
        let extremes: [Duration] = [
            .seconds(Int64.max), .seconds(Int64.min), .zero, .nanoseconds(1), .seconds(Int64.max) + .milliseconds(999),
        ]
        try await withMemcachedServers(1) { servers in
            for time in extremes {
                try await withMemcached([servers[0].address]) {
                    $0.connectTimeout = max(time, .seconds(30))
                    $0.commandTimeout = max(time, .seconds(30))
                    $0.minBackoff = time
                    $0.maxBackoff = time
                    $0.maxPendingCommands = 1
                } _: { client async throws in
                    #expect(try await get(client) == nil)
                }
                try await withMemcached(["127.0.0.1:1"]) {
                    $0.minBackoff = time
                    $0.maxBackoff = time
                } _: { client async throws in
                    for _ in 0..<3 { #expect(await memcachedError { try await get(client) }?.isTransient == true) }
                }
            }
        }
    }

    @Test(
        arguments: [
            "nonsense\r\n", "\r\n", "\n", "VA\r\n", "VA x\r\nx\r\n", "VA -1 f0 c1 t1\r\n\r\n",
            "VA 99999999999999999999 f0 c1 t1\r\n", "VA 17000000 f0 c1 t1\r\n", "VA 2 f0 c1 t1\r\nabcd\r\n",
            "VA 1 f0 c1\r\na\r\n", "VA 1 f99999999999 c1 t1\r\na\r\n", "VA 1 f0 c-1 t1\r\na\r\n", "HD\r\n",
            "VA 1 f0 c1 t99999999999999999999\r\na\r\n", String(repeating: "x", count: 5000), "EN\r\nEN\r\n",
            "\u{0}\u{1}\r\n", "VALUE k 0 1\r\na\r\nEND\r\n",
        ])
    func whatIsNoAnswerIsAnError(answer: String) async throws {
        let server = try await ScriptedMemcached { _ in answer }
        try await withMemcached([server.address]) {
            $0.minBackoff = .milliseconds(1)
            $0.maxBackoff = .milliseconds(1)
        } _: { client async throws in
            for _ in 0..<3 {
                let error = await memcachedError {
                    _ = try await get(client)
                    // An answer too many is the next one's fault.
                    try await eventually {
                        _ = try await get(client)
                        return false
                    }
                }
                #expect(error?.isTransient == (error?.code != .malformedReply))
            }
        }
        #expect(server.received.count > 0)
    }

    /// Whatever a server sends, in whatever pieces: an answer or an error, no crash.
    @Test(arguments: TestSeed.first(5))
    func damagedAnswersAreErrors(seed: TestSeed) throws {
        var generator = seed.generator
        let sound = Array(
            "VA 5 c9 f1028 t100\r\nhello\r\nHD f4 t1\r\nEN\r\nNS\r\nEX\r\nSERVER_ERROR out of memory\r\nMN\r\n".utf8)
        for _ in 0..<2000 {
            var bytes = sound
            for _ in 0..<Int.random(in: 0...3, using: &generator) {
                bytes[Int.random(in: bytes.indices, using: &generator)] = .random(in: 0...255, using: &generator)
            }
            var decoder = MetaReplyDecoder()
            var replies = 0
            do {
                var rest = bytes[...]
                while !rest.isEmpty {
                    let piece = rest.prefix(Int.random(in: 1...40, using: &generator))
                    rest = rest.dropFirst(piece.count)
                    var buffer = ByteBuffer(bytes: piece)
                    decoder.append(&buffer)
                    while try decoder.next() != nil { replies += 1 }
                }
                #expect(replies <= 8 || bytes != sound)
                if bytes == sound { #expect(replies == 7) }
            } catch {
                #expect(error.code == .malformedReply)
                #expect(bytes != sound)
            }
        }
    }

    /// What is said before anything was asked would be taken for the first answer, and so on.
    @Test(arguments: ["EN\r\n", "HD\r\n", "VA 1 f4 c1 t1\r\n1\r\n", "NS\r\n", "ERROR\r\n", "EN\r\nMN\r\n"])
    func anAnswerTooManyAtTheBeginningShiftsNothing(answer: String) async throws {
        let server = try await ScriptedMemcached(greets: false) { piece in
            answer + (piece.hasPrefix("mn\r\n") ? "MN\r\n" : "") + "HD f4 c7 t9\r\n"
        }
        try await withMemcached([server.address]) { client async throws in
            let error = await memcachedError { try await client.execute(.look("k")) }
            #expect(error?.code == (answer == "ERROR\r\n" ? .server : .malformedReply))
            #expect(error?.mayHaveTakenEffect == true)
        }
    }

    /// The server takes the connection and says nothing to anything.
    @Test func aSilentServerFailsEveryCallInTime() async throws {
        let server = try await ScriptedMemcached(greets: false) { _ in "" }
        try await withMemcached([server.address]) {
            $0.commandTimeout = .milliseconds(200)
        } _: { client async throws in
            let backend = MemcachedRateLimiterBackend(client)
            let key = BarrierKey(key: "b", releaseKey: "b_ran", ttl: .seconds(9))
            for call in [
                { _ = try await backend.add("k", value: 1, ttl: .seconds(9)) },
                { _ = try await backend.incr("k", amount: 1, maximum: 2, ttl: .seconds(9)) },
                { _ = try await backend.verifyAccess(barrierKeyPrefix: "") },
                {
                    _ = try await backend.apply(
                        StateCommit(store: backend, arrival: .init(barrier: key, party: "p", releases: false)))
                },
                { _ = try await backend.apply(StateCommit(store: backend, releases: [key])) },
                { _ = try await backend.apply(StateCommit(store: backend, refreshes: [key])) },
                {
                    _ = try await backend.apply(
                        StateCommit(store: backend, creations: [.init(barrier: key, parties: 3)]))
                },
            ] as [@Sendable () async throws -> Void] {
                #expect(await memcachedError(call)?.isTransient == true)
            }
        }
    }

    @Test func serversErrorsAreToldApart() async throws {
        for (words, isTransient) in [
            ("SERVER_ERROR out of memory storing object", true), ("SERVER_ERROR object too large for cache", false),
            ("CLIENT_ERROR bad data chunk", false), ("ERROR", false),
        ] {
            let server = try await ScriptedMemcached { _ in words + "\r\n" }
            try await withMemcached([server.address]) { client async throws in
                let error = await memcachedError { try await get(client) }
                #expect(error?.code == .server && error?.message == words)
                #expect(error?.isTransient == isTransient)
            }
        }
        let old = try await ScriptedMemcached { _ in "ERROR\r\n" }
        try await withMemcached([old.address]) { client async throws in
            #expect(await memcachedError { try await client.verifyServers() }?.message.contains("1.6") == true)
        }
    }

    @Test func aServerWithoutMemoryIsAnOutage() async throws {
        try await withMemcached(megabytes: 2, arguments: ["-M"]) { client, _ async throws in
            var error: MemcachedError?
            for batch in 0..<100 where error == nil {
                error = await memcachedError {
                    for reply in try await client.execute(
                        (0..<1000).map { .add("key\(batch).\($0)", Entry(1), Expiry(.seconds(100))) })
                    { _ = try reply.isDone() }
                }
            }
            #expect(error?.code == .server)
            #expect(error?.isTransient == true)
        }
    }

    // MARK: Cancellation and shutdown

    @Test func aCancelledCommandShiftsNoAnswers() async throws {
        try await withMemcached { client, _ async throws in
            for number in 0..<100 { _ = try await client.add("k\(number)", Entry(number), Expiry(.seconds(100))) }
            try await withThrowingTaskGroup(of: Void.self) { group in
                for round in 0..<50 {
                    let cancelled = Task { try await client.entry("k\(round)") }
                    group.addTask {
                        let known = try await client.entry("k\(round + 50)")
                        #expect(known?.entry == Entry(round + 50))
                    }
                    cancelled.cancel()
                    _ = try? await cancelled.value
                }
                try await group.waitForAll()
            }
        }
    }

    @Test func aClientThatIsShutDownRefusesEverything() async throws {
        let server = try await ScriptedMemcached { _ in "" }
        let client = try MemcachedClient(servers: [server.address])
        let waiting = Task { await memcachedError { try await get(client) } }
        try await eventually { server.received.count == 1 }
        await client.shutDown()
        #expect(await waiting.value?.code == .clientClosed)
        #expect(await memcachedError { try await get(client) }?.code == .clientClosed)
        #expect(await memcachedError { try await get(client) }?.isTransient == false)
        await client.shutDown()
        #expect(server.connections == 1)
    }

    @Test func aClientRunsUntilItIsCancelled() async throws {
        let client = try MemcachedClient(servers: ["127.0.0.1:1"])
        let run = Task { try await client.run() }
        run.cancel()
        try await run.value
    }

    // MARK: Configuration

    @Test func addressesAreThoseOfPylibmc() throws {
        let configuration = try MemcachedConfiguration(
            servers: ["127.0.0.1", "host:1", "[::1]", "[::1]:7", "/var/run/memcached.sock"])
        #expect(
            configuration.servers == [
                .host("127.0.0.1", port: 11_211), .host("host", port: 1), .host("::1", port: 11_211),
                .host("::1", port: 7), .unixSocket(path: "/var/run/memcached.sock"),
            ])
        #expect(configuration.servers.map { "\($0)" }[2...3] == ["[::1]:11211", "[::1]:7"])
        for wrong in ["", ":1", "h:", "h:x", "h:0", "h:70000", "h:1:2", "[::1", "[::1]x", "a b", "udp:h", "h:+1", "[]"]
        {
            #expect(throws: MemcachedError.self, "\(wrong)") { try MemcachedConfiguration(servers: [wrong]) }
        }
        #expect(throws: MemcachedError.self) { try MemcachedClient(servers: []) }
    }

    @Test func aServerCanListenOnASocket() async throws {
        let path = "/tmp/memcached-test-\(UInt32.random(in: 0...UInt32.max)).sock"
        let user = ["-u", "root"]
        let process = try ServerProcess(["memcached", "-s", path] + user)
        defer { process.kill() }
        try await withMemcached([path]) { client async throws in
            try await eventually { await memcachedError { try await client.verifyServers() } == nil }
            #expect(try await client.add("k", Entry(1), Expiry(.seconds(100))))
        }
    }
}
