public import Dramatiq

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

    private let place: Place

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
}

/// Keeps the rest of a workflow apart from the callbacks, once for each completion id.
public protocol WorkflowStore: Sendable {
    /// Stores a remaining workflow, given as JSON text.
    ///
    /// - Parameter completionID: the barrier after which it runs; the same one means the same workflow.
    /// - Returns: what messages carry for it.
    func store(_ workflow: [UInt8], completionID: String) async throws -> JSONValue

    /// The JSON text that a reference stands for. The reference comes from a message and is hostile until checked.
    func load(_ reference: JSONValue, completionID: String) async throws -> [UInt8]
}
