import Dramatiq
import DramatiqTestKit
import Synchronization
import TestSupport

@testable import DramatiqMemcached

/// Barriers and counters on a server, behind a proxy that can cut the connections.
final class MemcachedSubject: StateStoreSubject, CounterSubject {
    /// As a store of barriers.
    static let storeClaims: Set<Claim> = [
        .passingTime, .forgetting, .refusedSteps, .lostAnswers, .restarts, .cuts,
    ]
    /// As one of counters.
    static let counterClaims: Set<Claim> = [.passingTime]

    let claims: Set<Claim>
    let faults = FaultSwitch()
    let patience: Duration = .patience
    private let server: MemcachedServer
    private let proxy: CuttingProxy
    private let direct: MemcachedClient
    private let clients = Mutex<[MemcachedClient]>([])

    init(_ server: MemcachedServer, claims: Set<Claim>) async throws {
        self.server = server
        self.claims = claims
        proxy = try await CuttingProxy(to: server.port)
        direct = try MemcachedClient(servers: [server.address], logger: RecordingLog().logger)
    }

    private func make() throws -> MemcachedRateLimiterBackend {
        var configuration = try MemcachedConfiguration(servers: [proxy.address])
        configuration.maxBackoff = .milliseconds(50)
        let client = try MemcachedClient(configuration, logger: RecordingLog().logger)
        clients.withLock { $0.append(client) }
        return MemcachedRateLimiterBackend(client)
    }

    func makeStore() async throws -> any StateStore { FaultyStateStore(try make(), faults: faults) }
    func makeBackend() async throws -> any RateLimiterBackend { try make() }

    /// Brings the end of every item so much nearer.
    func letPass(_ time: Duration) async throws {
        for key in try server.expiries().keys {
            guard let left = try await direct.entry(key)?.expiry.seconds else { continue }
            let rest = left - Int(time.components.seconds)
            _ = try await direct.execute(
                rest > 0 ? .touch(key, Expiry(remaining: rest)) : .delete(key))
        }
    }

    func forget() async throws {
        _ = try await direct.execute(try server.expiries().keys.map(MetaCommand.delete))
    }

    func restart() async throws {
        try await server.restart()
        try await eventually { (try? await direct.verifyServers()) != nil }
    }

    func cut() async throws { try await proxy.cutAll() }

    func finish() async {
        for client in clients.withLock(\.self) + [direct] { await client.shutDown() }
    }
}
