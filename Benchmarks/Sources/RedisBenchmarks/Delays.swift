import BenchmarkSupport
import Dramatiq
import DramatiqRedis

/// Delayed messages that are all due when their worker starts, until the last one has run, and the same on a server that
/// is 5 ms away.
func measureDelays(_ session: inout Session, _ server: LocalServer) async throws {
    for (name, latency, count) in [
        ("delayed messages due at once", nil, 20_000),
        ("delayed messages due at once, 5 ms away", .milliseconds(5), 20_000),
    ] as [(String, Duration?, Int)] {
        guard session.includes(name) else { continue }
        let fleet = try await RedisFleet(server) { client -> any RedisExecutor in
            if let latency { Distant(client, roundTrip: latency) } else { client }
        }
        try await session.compare(
            Comparison(
                name, unit: "messages",
                Contestant("swift") {
                    try await fleet.flush()
                    for first in stride(from: 0, to: count, by: 1000) {
                        try await fleet.broker.enqueue(
                            (first..<first + 1000).map { fleet.noop.message($0) }, delay: .milliseconds(1))
                    }
                    return try await fleet.work {
                        try await Measurement.of(work: Double(count)) { try await fleet.join() }
                    }
                }))
        await fleet.client.shutDown()
    }
}

/// Runs commands on a server that seems to be far away: their answers come later by the time of a round trip.
private final class Distant: RedisExecutor {
    private let client: RedisClient
    private let roundTrip: Duration

    init(_ client: RedisClient, roundTrip: Duration) {
        self.client = client
        self.roundTrip = roundTrip
    }

    func execute(_ command: RedisCommand) async throws -> RESPValue {
        try await Task.sleep(for: roundTrip)
        return try await client.execute(command)
    }

    func pipeline(_ commands: [RedisCommand]) async throws -> [Result<RESPValue, RedisError>] {
        try await Task.sleep(for: roundTrip)
        return try await client.pipeline(commands)
    }

    func block(_ command: RedisCommand, timeout: Duration?) async throws -> RESPValue {
        try await Task.sleep(for: roundTrip)
        return try await client.block(command, timeout: timeout)
    }
}
