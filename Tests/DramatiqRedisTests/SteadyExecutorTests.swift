import RedisTestSupport
import Synchronization
import TestSupport
import Testing

@testable import DramatiqRedis

/// Commands that are waited for whatever becomes of the task, until the waiting is given up.
@Suite(.timeLimit(.minutes(10))) struct SteadyExecutorTests {
    enum Kind: CaseIterable, Sendable {
        case client
        /// Any other executor.
        case shielded

        func make(_ redis: RedisClient) -> any SteadyExecutor {
            switch self {
            case .client: redis
            case .shielded: TaskShield(HeldExecutor(redis))
            }
        }
    }

    @Test(arguments: Kind.allCases) func cancellingTheTaskCutsNothingShort(_ kind: Kind) async throws {
        try await withRedisServer { server in
            try await withRedis(server.url) { redis in
                let executor = kind.make(redis)
                let before = Task {
                    withUnsafeCurrentTask { $0?.cancel() }
                    return try await executor.execute(RedisCommand("INCR", "before"), AnswerWait())
                }
                #expect(try await before.value.integer() == 1)
                let during = try await withHeldWrites(server) { other in
                    let during = Task { try await executor.execute(RedisCommand("INCR", "during"), AnswerWait()) }
                    try await expectHeldWrite(other)
                    during.cancel()
                    return during
                }
                #expect(try await during.value.integer() == 1)
            }
        }
    }

    @Test(arguments: Kind.allCases) func givingUpEndsTheWaitAtOnce(_ kind: Kind) async throws {
        try await withRedisServer { server in
            try await withRedis(server.url) { redis in
                let executor = kind.make(redis)
                let wait = AnswerWait()
                let result = try await withHeldWrites(server) { other in
                    let waiting = Task { try await executor.execute(RedisCommand("INCR", "key"), wait) }
                    try await expectHeldWrite(other)
                    wait.giveUp()
                    return await waiting.result
                }
                #expect(throws: CancellationError.self) { try result.get() }
                // Also from now on.
                await #expect(throws: CancellationError.self) {
                    try await executor.execute(RedisCommand("INCR", "key"), wait)
                }
            }
        }
    }

    @Test func onlyWhatIsWaitedForIsCancelled() async throws {
        let cancelled = Mutex(0)
        let wait = AnswerWait()
        #expect(try await wait(cancelling: { cancelled.withLock { $0 += 1 } }, { 1 }) == 1)
        try await wait(cancelling: { cancelled.withLock { $0 += 10 } }) {
            wait.giveUp()
            wait.giveUp()
        }
        #expect(cancelled.withLock(\.self) == 10)
    }
}
