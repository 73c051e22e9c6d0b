public import Dramatiq
import Synchronization

/// What happens when a part of a workflow is complete: an entry of a message's callbacks.
public struct CompletionCallback: Sendable {
    /// The barrier that counts the part's tasks.
    public let completionID: String
    /// What runs once the barrier opens; `nil` if nothing does.
    public let remaining: RemainingWorkflow?
    /// Whether the next outer entry is looked at, too.
    public let propagates: Bool

    public init(completionID: String, remaining: RemainingWorkflow?, propagates: Bool) {
        self.completionID = completionID
        self.remaining = remaining
        self.propagates = propagates
    }
}

/// The rest of a workflow: at hand, or somewhere else from where it is loaded when its barrier opens, and only then.
public struct RemainingWorkflow: Sendable {
    private enum Place: Sendable {
        case here(JSONValue)
        case elsewhere(JSONValue, @Sendable () async throws -> JSONValue)
    }

    /// What stands for the workflow in the messages of the last storage that was given it. Shared by copies.
    private final class Kept: Sendable {
        let last = Mutex<(storage: any AnyObject & Sendable, reference: JSONValue)?>(nil)
    }

    private let place: Place
    private let kept = Kept()

    /// A workflow that is at hand, as JSON.
    public init(_ workflow: JSONValue) {
        place = .here(workflow)
    }

    /// A workflow that can be loaded.
    ///
    /// - Parameters:
    ///   - reference: what stands for it in messages.
    ///   - load: gets it as JSON.
    public init(reference: JSONValue, load: @escaping @Sendable () async throws -> JSONValue) {
        place = .elsewhere(reference, load)
    }

    /// The workflow, if it is at hand.
    public var value: JSONValue? {
        if case .here(let workflow) = place { return workflow }
        return nil
    }

    /// What stands for it in messages, if it is stored elsewhere.
    public var reference: JSONValue? {
        if case .elsewhere(let reference, _) = place { return reference }
        return nil
    }

    /// The workflow as JSON.
    ///
    /// - Throws: what the storage throws that has it.
    public func load() async throws -> JSONValue {
        switch place {
        case .here(let workflow): workflow
        case .elsewhere(_, let load): try await load()
        }
    }

    /// What stands for the workflow in a storage's messages: made once, however many callbacks share the workflow. Each
    /// chain of a group has callbacks of its own, and all of them hold what comes after the group.
    package func reference(
        in storage: any AnyObject & Sendable,
        _ make: () async throws -> JSONValue
    ) async throws -> JSONValue {
        if let last = kept.last.withLock({ $0 }), last.storage === storage { return last.reference }
        let reference = try await make()
        kept.last.withLock { $0 = (storage, reference) }
        return reference
    }
}

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
    func store(_ workflow: [UInt8], completionID: String) async throws -> JSONValue

    /// The JSON text that a reference stands for. The reference comes from a message and is hostile until checked.
    func load(_ reference: JSONValue, completionID: String) async throws -> [UInt8]

    /// Makes sure that what a reference stands for is kept for as long as if it had been stored now: messages that are
    /// being sent carry it on. Does nothing unless implemented.
    ///
    /// - Throws: if it is not there any more.
    func refresh(_ reference: JSONValue, completionID: String) async throws

    /// As ``refresh(_:completionID:)``, for a message that waits before it is sent or can go on: for so much longer than
    /// if it had been stored now. Never makes the time shorter than it was. Does what that one does unless implemented.
    func refresh(_ reference: JSONValue, completionID: String, for wait: Duration) async throws
}

extension WorkflowStore {
    public var name: String { "\(Self.self)" }
    public func refresh(_ reference: JSONValue, completionID: String) async throws {}
    public func refresh(_ reference: JSONValue, completionID: String, for wait: Duration) async throws {
        try await refresh(reference, completionID: completionID)
    }
}
