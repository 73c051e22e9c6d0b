/// A result that is kept in the commit that ends its message: see ``Commit/result``.
///
/// A class, since few commits have one, and those that have none should be no larger for it.
public final class ResultCommit: Sendable {
    /// Where it is kept: what the transport ``Transport/includes(_:)-(ResultBackend)``.
    public let backend: any ResultBackend
    public let key: ResultKey
    /// The result, as it is kept. See ``Results``.
    public let bytes: [UInt8]
    /// For how long it is kept from the commit on.
    public let ttl: Duration

    public init(backend: any ResultBackend, key: ResultKey, bytes: [UInt8], ttl: Duration) {
        self.backend = backend
        self.key = key
        self.bytes = bytes
        self.ttl = ttl
    }

    /// Keeps it before the commit, where that can't.
    ///
    /// - Throws: what the backend throws.
    func storeApart() async throws {
        try await backend.store(bytes, for: key, ttl: ttl)
    }
}

extension MessageContext {
    /// Keeps the message's result, or its error: in its commit if the transport includes the backend, otherwise now.
    ///
    /// - Throws: what the backend throws.
    mutating func keep(_ result: ResultCommit) async throws {
        if broker.transport.includes(result.backend) {
            keptResult = result
        } else {
            try await result.storeApart()
        }
    }

    /// Keeps now what was to be kept in the commit, since something may follow from the message before that.
    ///
    /// - Throws: what the backend throws.
    mutating func keepResultApart() async throws {
        guard let result = keptResult else { return }
        try await result.storeApart()
        keptResult = nil
    }
}
