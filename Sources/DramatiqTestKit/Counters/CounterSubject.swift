public import Dramatiq

/// Makes the backends that ``CounterPromises`` are checked on.
public protocol CounterSubject: ConformanceSubject {
    /// Makes a backend. All that one subject makes keep their counters in the same place, as several clients of a server
    /// do. It is a `NotifyingBackend` if ``Claim/notifications`` is claimed.
    ///
    /// - Throws: why it can't be made; the check fails with it.
    func makeBackend() async throws -> any RateLimiterBackend
}

extension CounterSubject {
    func makeNotifyingBackend() async throws -> any NotifyingBackend {
        try unwrap(try await makeBackend() as? any NotifyingBackend, "a NotifyingBackend, as is claimed")
    }
}

extension Promise where Subject == any CounterSubject {
    init(
        _ name: String,
        needs: Set<Claim> = [],
        file: String = #fileID,
        line: Int = #line,
        _ body: @escaping @Sendable (any CounterSubject) async throws -> Void
    ) {
        self.init(name, needs: needs, file: file, line: line, base: { $0 }, body: body)
    }
}
