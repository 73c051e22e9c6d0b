public import Dramatiq
import Synchronization

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
