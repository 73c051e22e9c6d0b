public import Dramatiq

/// Keeps workflows for a storage such as `DedupCallbackStorage`: bytes under a name. Called once for each run, when it
/// starts.
///
/// Two methods are enough for a store that keeps things until told otherwise; the others have defaults.
public protocol WorkflowStore: Sendable {
    /// What references call the store, the type's name unless given: it says whose a workflow is that can't be found.
    var name: String { get }

    /// What is the same for stores that keep the same things in the same place, in this process: they share what a
    /// ``WorkflowCache`` keeps of them. `nil`, the default, for a store that shares with none.
    var identity: String? { get }

    /// Stores a content.
    ///
    /// - Parameters:
    ///   - workflow: the bytes, which are JSON.
    ///   - completionID: the name of the content, the SHA-256 of the bytes in base64url: the same one means the same
    ///     bytes. (Until contents had names this was the id of a barrier.)
    /// - Returns: what messages carry for it; nothing more than the name if it is that.
    /// - Throws: if it can't be stored; the workflow or the step is not started then.
    func store(_ workflow: [UInt8], completionID: String) async throws -> JSONValue

    /// The bytes that a reference stands for; the storage compares them with their name. The reference comes from a
    /// message and is hostile until checked.
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

    /// Removes what a reference stands for: the run has ended that it was stored for. Its bytes say which run that is, so no
    /// other has stored the same. Removing what isn't there is no error. Does nothing unless implemented: what is stored stays
    /// until it is swept.
    ///
    /// - Throws: if it can't be removed.
    func remove(_ reference: JSONValue, completionID: String) async throws
}

extension WorkflowStore {
    public var name: String { "\(Self.self)" }
    public var identity: String? { nil }
    public func refresh(_ reference: JSONValue, completionID: String) async throws {}
    public func remove(_ reference: JSONValue, completionID: String) async throws {}
    public func refresh(_ reference: JSONValue, completionID: String, for wait: Duration) async throws {
        try await refresh(reference, completionID: completionID)
    }
}
