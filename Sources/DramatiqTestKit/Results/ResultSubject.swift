public import Dramatiq

/// Makes the backends that ``ResultPromises`` are checked on.
public protocol ResultSubject: ConformanceSubject {
    /// Makes a backend. All that one subject makes keep their results in the same place, as several clients of a server
    /// do.
    ///
    /// - Throws: why it can't be made; the check fails with it.
    func makeResultBackend() async throws -> any ResultBackend
}

extension Promise where Subject == any ResultSubject {
    init(
        _ name: String,
        needs: Set<Claim> = [],
        file: String = #fileID,
        line: Int = #line,
        _ body: @escaping @Sendable (any ResultSubject) async throws -> Void
    ) {
        self.init(name, needs: needs, file: file, line: line, base: { $0 }, body: body)
    }
}
