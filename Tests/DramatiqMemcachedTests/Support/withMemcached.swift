import Dramatiq
import Logging
import TestSupport

@testable import DramatiqMemcached

/// Runs a test's body with a client, which is shut down afterwards.
func withMemcached(
    _ servers: [String],
    log: RecordingLog = RecordingLog(),
    _ change: (inout MemcachedConfiguration) -> Void = { _ in },
    _ body: (MemcachedClient) async throws -> Void
) async throws {
    var configuration = try MemcachedConfiguration(servers: servers)
    change(&configuration)
    let client = try MemcachedClient(configuration, logger: log.logger)
    do {
        try await body(client)
        await client.shutDown()
    } catch {
        await client.shutDown()
        throw error
    }
}

/// Runs a test's body with a server and a client of its own.
func withMemcached(
    megabytes: Int = 64,
    arguments: [String] = [],
    _ body: (MemcachedClient, MemcachedServer) async throws -> Void
) async throws {
    let server = try await MemcachedServer(megabytes: megabytes, arguments: arguments)
    defer { server.kill() }
    try await withMemcached([server.address]) { try await body($0, server) }
}

/// The error that a body throws.
func memcachedError(_ body: () async throws -> some Any) async -> MemcachedError? {
    do {
        _ = try await body()
        return nil
    } catch {
        return error as? MemcachedError
    }
}

/// Repeats a step for as long as there is an outage.
func insisting<Value>(_ step: () async throws -> Value) async throws -> Value {
    while true {
        do {
            return try await step()
        } catch let error as MemcachedError where error.isTransient {
            try await Task.sleep(for: .milliseconds(1))
        }
    }
}

/// The steps of the tests at barriers.
struct BarrierSteps {
    let backend: MemcachedRateLimiterBackend
    let client: MemcachedClient
    var style = Style.atMostOnce
    var ttl = Duration.seconds(86_400)

    enum Style: CaseIterable {
        case atMostOnce
        case counting
    }

    init(_ client: MemcachedClient, style: Style = .atMostOnce, ttl: Duration = .seconds(86_400)) {
        self.client = client
        backend = MemcachedRateLimiterBackend(client)
        self.style = style
        self.ttl = ttl
    }

    func key(_ name: String) -> BarrierKey {
        BarrierKey(key: name, releaseKey: style == .atMostOnce ? "\(name)_ran" : nil, ttl: ttl)
    }

    func create(_ name: String, _ parties: Int) async throws {
        _ = try await backend.apply(
            StateCommit(store: backend, creations: [.init(barrier: key(name), parties: parties)]))
    }

    func arrive(_ name: String, _ party: String, releases: Bool = false) async throws -> StateCommit.Result {
        try await backend.apply(
            StateCommit(
                store: backend, arrival: .init(barrier: key(name), party: party, releases: releases)))
    }

    func release(_ name: String) async throws -> StateCommit.Result {
        try await backend.apply(StateCommit(store: backend, releases: [key(name)]))
    }

    /// What a key holds, as Python reads it; `nil` if it isn't there.
    func number(_ key: String) async throws -> Int? {
        try await client.entry(key)?.entry.number(key)
    }

    /// Counts an arrival as Python's backend does. Returns the parties left.
    func arriveAsPython(_ name: String) async throws -> Int {
        guard case .done(let item) = try await client.execute(.decrement(name)) else {
            throw BarrierStateLost(key: name)
        }
        return try Entry(number: String(decoding: item.value, as: UTF8.self)).number(name)
    }

    /// The keys of a barrier with one list.
    static func keys(_ name: String) -> [String] { [name, "\(name)_ran", "\(name)_arrived.1.0"] }
}

extension MetaCommand {
    /// What Python's native `decr` does.
    static func decrement(_ key: String) -> MetaCommand { MetaCommand("ma", key, " MD v") }
    /// What Python's native `incr` does.
    static func increment(_ key: String) -> MetaCommand { MetaCommand("ma", key, " v") }
}
