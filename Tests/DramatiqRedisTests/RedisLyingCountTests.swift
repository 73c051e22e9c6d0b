import Dramatiq
import DramatiqRedis
import Synchronization
import Testing

/// A server that answers any number where a count is asked for: sums and differences of such are numbers all the same.
@Suite(.timeLimit(.minutes(1))) struct RedisLyingCountTests {
    /// Answers every question with the same, a number of times, and then with an error.
    private final class Liar: RedisExecutor {
        private let answer: RESPValue
        private let left = Mutex(200)

        init(_ answer: RESPValue) {
            self.answer = answer
        }

        func execute(_ command: RedisCommand) async throws -> RESPValue {
            let isOver = left.withLock { left in
                left -= 1
                return left < 0
            }
            if isOver { throw RedisError(.server, "ERR enough") }
            return answer
        }

        func pipeline(_ commands: [RedisCommand]) async throws -> [Result<RESPValue, RedisError>] {
            commands.map { _ in .success(answer) }
        }

        func block(_ command: RedisCommand, timeout: Duration?) async throws -> RESPValue { answer }
    }

    private static let numbers = [Int.min, -1, 0, 1, 1000, .max]
    private static let answers: [RESPValue] =
        numbers.map { .integer($0) } + numbers.map { .string("\($0)") }
        + [.double(.infinity), .double(.nan), .double(-1e308), .bigNumber(Array("99999999999999999999".utf8)), .null]

    @Test(arguments: answers) func noCountTraps(answer: RESPValue) async throws {
        for answer in [answer] + ([1, 2, 3, 7, 8] as [Int]).map({ .array(Array(repeating: answer, count: $0)) }) {
            let operations: [@Sendable (RedisTransport) async throws -> Void] = [
                { _ = try await $0.status() },
                { _ = try await $0.unfinishedCount() },
                { _ = try await $0.flush() },
                { _ = try await $0.workers() },
                { _ = try await $0.deadLetterCount() },
                { _ = try await $0.deadLetters(offset: .max, limit: .max) },
                { _ = try await $0.deadLetters(limit: .max) },
                { _ = try await $0.deadLetter("x") },
                { _ = try await $0.requeueDeadLetters() },
                { _ = try await $0.requeueDeadLetters(queue: "default", encoder: JSONMessageEncoder()) { _ in true } },
                { _ = try await $0.removeDeadLetters() },
                { _ = try await $0.removeDeadLetters(queue: "default") { _ in true } },
                { try await $0.removeDeadLetter("x") },
                { try await $0.requeueDeadLetter("x") },
                { _ = try await $0.sample(limit: .max) },
                { _ = try await $0.queueNames() },
                { transport in
                    let consumer = try await transport.consumer(of: "default", ConsumerOptions(prefetch: 10))
                    _ = try? await consumer.next(limit: 10)
                    await consumer.close()
                },
            ]
            for operation in operations {
                // Whatever it comes to, it comes to something.
                _ = try? await operation(RedisTransport(Liar(answer)))
            }
        }
    }
}
