public import Dramatiq

/// Keeps the rest of a workflow apart from the callbacks, once for each completion id.
///
/// Two methods are enough for a store that keeps things until told otherwise; the others have defaults.
public protocol WorkflowStore: Sendable {
    /// What references call the store, the type's name unless given: a message must not be taken to another store than
    /// the one that has its workflow.
    var name: String { get }

    /// Stores a remaining workflow, given as JSON text.
    ///
    /// - Parameter completionID: the barrier after which it runs; the same one means the same workflow.
    /// - Returns: what messages carry for it.
    /// - Throws: if it can't be stored; the workflow or the step is not started then.
    func store(_ workflow: [UInt8], completionID: String) async throws -> JSONValue

    /// The JSON text that a reference stands for. The reference comes from a message and is hostile until checked.
    ///
    /// - Throws: if it can't be had; the message is kept and tried again, then dead-lettered.
    func load(_ reference: JSONValue, completionID: String) async throws -> [UInt8]

    /// Makes sure that what a reference stands for is kept for as long as if it had been stored now: messages that are
    /// being sent carry it on. Does nothing unless implemented.
    ///
    /// - Throws: if it is not there any more.
    func refresh(_ reference: JSONValue, completionID: String) async throws

    /// As ``refresh(_:completionID:)``, for a message that waits before it is sent or can go on: for so much longer than
    /// if it had been stored now. Never makes the time shorter than it was. Does what that one does unless implemented.
    ///
    /// - Throws: as ``refresh(_:completionID:)``.
    func refresh(_ reference: JSONValue, completionID: String, for wait: Duration) async throws
}

extension WorkflowStore {
    public var name: String { "\(Self.self)" }
    public func refresh(_ reference: JSONValue, completionID: String) async throws {}
    public func refresh(_ reference: JSONValue, completionID: String, for wait: Duration) async throws {
        try await refresh(reference, completionID: completionID)
    }
}
