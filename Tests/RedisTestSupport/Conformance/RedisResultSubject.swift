public import Dramatiq
public import DramatiqRedis
public import DramatiqTestKit
import TestSupport

/// Results on a server.
public struct RedisResultSubject: ResultSubject {
    public static let resultClaims: Set<Claim> = [.passingTime]

    public let claims: Set<Claim> = Self.resultClaims
    public let faults = FaultSwitch()
    public let patience: Duration = .patience
    private let place: RedisPlace
    private let style: RedisResultBackend.KeyStyle

    public init(_ server: RedisServer, keys style: RedisResultBackend.KeyStyle) throws {
        place = try RedisPlace(server)
        self.style = style
    }

    public func makeResultBackend() async throws -> any ResultBackend {
        RedisResultBackend(try place.makeClient(faults) { _ in false }.executor, keys: style)
    }

    public func letPass(_ time: Duration) async throws { try await place.letPass(time) }
    public func finish() async { await place.finish() }
}
