public import Dramatiq

/// Keeps the callbacks of a workflow's messages: in the messages themselves, or somewhere else to keep them small.
public protocol CallbackStorage: Sendable {
    /// Stores callbacks, outermost first. Called once for all messages that share them.
    ///
    /// - Returns: what the messages carry for it in their option `workflow_completion_callbacks`.
    /// - Throws: if they can't be stored; the workflow or the step is not started then.
    func store(_ callbacks: [CompletionCallback]) async throws -> JSONValue

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
    /// - Parameter wait: for how long the message may wait, in addition to the time for which the storage keeps what was
    ///   stored now.
    /// - Throws: if it is not there any more, or can't be kept. A message that is to be delayed is not sent then.
    func refresh(_ reference: JSONValue, for wait: Duration) async throws
}

extension CallbackStorage {
    public func retrieveNow(_ reference: JSONValue) throws -> [CompletionCallback]? { nil }
    public func refresh(_ reference: JSONValue, for wait: Duration) async throws {}
}
