public import Dramatiq
public import DramatiqTestKit

/// Results in memory, with a clock of their own.
public struct InMemoryResultSubject: ResultSubject {
    public static let resultClaims: Set<Claim> = [.passingTime]

    public let claims: Set<Claim> = Self.resultClaims
    private let clock: TestClock
    private let backend: InMemoryResultBackend

    public init() {
        let clock = TestClock()
        self.clock = clock
        backend = InMemoryResultBackend(now: { clock.instant })
    }

    public func makeResultBackend() async throws -> any ResultBackend { backend }
    public func letPass(_ time: Duration) async throws { clock.advance(by: time) }
}
