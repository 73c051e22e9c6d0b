public import Dramatiq

/// Keeps the callbacks of a workflow's messages: in the messages themselves, or somewhere else to keep them small.
public protocol CallbackStorage: Sendable {
    /// Stores callbacks, outermost first. Called once for all messages that share them.
    ///
    /// - Returns: what the messages carry for it in their option `workflow_completion_callbacks`.
    /// - Throws: if they can't be stored; the workflow or the step is not started then.
    func store(_ callbacks: [CompletionCallback]) async throws -> JSONValue

    /// As ``store(_:)``, for callbacks of a run that is tracked, of which the outermost is the run itself; and says what is
    /// kept for them that no other run needs. A storage that wraps another one passes it on. Defaults to ``store(_:)`` and
    /// nothing that could be removed.
    ///
    /// - Throws: as ``store(_:)``.
    func storeForRun(_ callbacks: [CompletionCallback]) async throws -> StoredCallbacks

    /// Removes what is kept for a run that needs it no more. Called some time after the run has ended, in any process. What
    /// isn't there, or was stored by another storage, is left out. A storage that wraps another one passes it on. Defaults to
    /// nothing: what is stored stays until it is swept.
    ///
    /// - Parameter contents: some of ``StoredCallbacks/contents``.
    /// - Throws: if something can't be removed, once all others are. It is left to who sweeps.
    func remove(_ contents: [String]) async throws

    /// The callbacks that a reference stands for. The reference comes from a message and is hostile until checked.
    ///
    /// - Throws: if they can't be had; the message is kept and tried again, then dead-lettered.
    func retrieve(_ reference: JSONValue) async throws -> [CompletionCallback]

    /// As ``retrieve(_:)``, if that needs no waiting, as for what stands in the message itself. Asked first. A storage that
    /// wraps another one passes it on. Defaults to `nil`.
    ///
    /// - Returns: `nil` if it can't be done without waiting.
    /// - Throws: as ``retrieve(_:)``.
    func retrieveNow(_ reference: JSONValue) throws -> [CompletionCallback]?

    /// Keeps what a reference stands for while the message that carries it waits: it is delayed, tried again later, or a
    /// dead letter. Does nothing unless implemented, which is right for a storage that keeps things until told otherwise.
    ///
    /// - Parameters:
    ///   - reference: what a message carries.
    ///   - wait: for how long the message may wait, in addition to the time for which the storage keeps what was stored
    ///     now.
    /// - Throws: if it is not there any more, or can't be kept. A message that is to be delayed is not sent then.
    func refresh(_ reference: JSONValue, for wait: Duration) async throws
}

/// What a storage has made of a run's callbacks.
public struct StoredCallbacks: Sendable {
    /// What messages carry for them.
    public var reference: JSONValue
    /// What was stored now, as far as it is for this run alone: what ``CallbackStorage/remove(_:)`` is given once the run has
    /// ended. Each of at most 1024 bytes of UTF-8. What is named again later is removed once.
    public var contents: [String]
    /// Whether the callbacks themselves are among what will be removed, and not in the reference: messages say then which run
    /// they are of.
    public var isApart: Bool

    public init(reference: JSONValue, contents: [String] = [], isApart: Bool = false) {
        self.reference = reference
        self.contents = contents
        self.isApart = isApart
    }
}

extension CallbackStorage {
    public func storeForRun(_ callbacks: [CompletionCallback]) async throws -> StoredCallbacks {
        StoredCallbacks(reference: try await store(callbacks))
    }
    public func remove(_ contents: [String]) async throws {}
    public func retrieveNow(_ reference: JSONValue) throws -> [CompletionCallback]? { nil }
    public func refresh(_ reference: JSONValue, for wait: Duration) async throws {}
}
