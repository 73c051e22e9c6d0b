public import Dramatiq

/// Makes the transports that ``TransportPromises`` and ``WorkflowPromises`` are checked on.
public protocol TransportSubject: ConformanceSubject {
    /// Makes a transport. All that one subject makes carry the messages of the same place, as several clients of a server
    /// do.
    ///
    /// - Throws: why it can't be made; the check fails with it.
    func makeTransport() async throws -> any Transport

    /// Makes the store of the barriers of workflows. All that one subject makes keep them in the same place. Defaults to
    /// this process's memory, apart from the transport, in one store for each call.
    ///
    /// - Parameter transport: includes it if ``Claim/barriers`` is claimed.
    /// - Throws: why it can't be made; the check fails with it.
    func makeStore(beside transport: any Transport) async throws -> any StateStore

    /// Makes the backend of the results of messages. All that one subject makes keep them in the same place. Defaults to this
    /// process's memory, apart from the transport, in one backend for each call.
    ///
    /// - Parameter transport: includes it if ``Claim/results`` is claimed.
    /// - Throws: why it can't be made; the check fails with it.
    func makeResults(beside transport: any Transport) async throws -> any ResultBackend

    /// Ends a client as a crash of its process does: it does and says nothing any more. What it held comes back by what
    /// the transport has for that. Needed for ``Claim/kills``.
    ///
    /// - Throws: ``NotImplemented`` unless implemented.
    func kill(_ transport: any Transport) async throws
}

extension TransportSubject {
    public func makeStore(beside transport: any Transport) async throws -> any StateStore {
        InMemoryRateLimiterBackend()
    }

    public func makeResults(beside transport: any Transport) async throws -> any ResultBackend {
        InMemoryResultBackend()
    }

    public func kill(_ transport: any Transport) async throws { throw NotImplemented(claim: .kills) }
}

extension Promise where Subject == any TransportSubject {
    init(
        _ name: String,
        needs: Set<Claim> = [],
        file: String = #fileID,
        line: Int = #line,
        _ body: @escaping @Sendable (any TransportSubject) async throws -> Void
    ) {
        self.init(name, needs: needs, file: file, line: line, base: { $0 }, body: body)
    }
}
