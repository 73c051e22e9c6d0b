public import Dramatiq

/// Makes the encoders that ``EncoderPromises`` are checked on.
public protocol EncoderSubject: ConformanceSubject {
    /// - Throws: why it can't be made; the check fails with it.
    func makeEncoder() throws -> any MessageEncoder
}

extension Promise where Subject == any EncoderSubject {
    init(
        _ name: String,
        needs: Set<Claim> = [],
        file: String = #fileID,
        line: Int = #line,
        _ body: @escaping @Sendable (any EncoderSubject) async throws -> Void
    ) {
        self.init(name, needs: needs, file: file, line: line, base: { $0 }, body: body)
    }
}
