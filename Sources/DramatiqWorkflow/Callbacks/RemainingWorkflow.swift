public import Dramatiq
import Synchronization

/// The rest of a workflow: at hand, or somewhere else from where it is loaded when its barrier opens, and only then.
public struct RemainingWorkflow: Sendable {
    private enum Place: Sendable {
        case here(JSONValue)
        /// The chain of a step whose first task is started.
        case planned(PlannedRests, part: Int)
        /// A part of a stored content.
        case stored(StoredRest)
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

    init(_ rests: PlannedRests, part: Int) {
        place = .planned(rests, part: part)
    }

    package init(_ rest: StoredRest) {
        place = .stored(rest)
    }

    /// The workflow, if it is at hand.
    public var value: JSONValue? {
        switch place {
        case .here(let workflow): workflow
        case .planned(let rests, let part): Self.chain(of: rests.children(part))
        case .stored, .elsewhere: nil
        }
    }

    /// What stands for it in messages, if it is stored elsewhere.
    public var reference: JSONValue? {
        switch place {
        case .here, .planned: nil
        case .stored(let rest): rest.reference.jsonValue
        case .elsewhere(let reference, _): reference
        }
    }

    /// The workflow as JSON.
    ///
    /// - Throws: what the storage throws that has it, ``WorkflowError/Code/invalidCursor``.
    public func load() async throws -> JSONValue {
        switch place {
        case .here(let workflow): workflow
        case .planned(let rests, let part): Self.chain(of: rests.children(part))
        case .stored(let rest): Self.chain(of: try rest.children(in: try await rest.content()))
        case .elsewhere(_, let load): try await load()
        }
    }

    /// The workflow as JSON, and the stored content that it is a part of, if so.
    func open() async throws -> (workflow: JSONValue, origin: StoredOrigin?) {
        guard case .stored(let rest) = place else { return (try await load(), nil) }
        let content = try await rest.content()
        return (
            Self.chain(of: try rest.children(in: content)), StoredOrigin(content: content, address: rest.address)
        )
    }

    private static func chain(of children: JSONArray) -> JSONValue {
        ["__type__": "chain", "children": .array(children)]
    }

    /// What the workflow comes from, for a storage that keeps contents.
    package enum Origin {
        case planned(PlannedRests, part: Int)
        case stored(StoredRest)
        case other
    }

    package var origin: Origin {
        switch place {
        case .planned(let rests, let part): .planned(rests, part: part)
        case .stored(let rest): .stored(rest)
        case .here, .elsewhere: .other
        }
    }

    /// The same workflow, which is at hand.
    func loaded() async throws -> RemainingWorkflow {
        switch place {
        case .here, .planned:
            return self
        case .elsewhere(let reference, let load):
            let workflow = try await load()
            return RemainingWorkflow(reference: reference) { workflow }
        case .stored(let rest):
            let content = try await rest.content()
            return RemainingWorkflow(StoredRest(address: rest.address, cursor: rest.cursor) { content })
        }
    }

    /// The same workflow, which is loaded from another place if it can't be loaded.
    func falling(
        back other: @escaping @Sendable (_ error: any Error) async throws -> RemainingWorkflow
    ) -> RemainingWorkflow {
        switch place {
        case .here, .planned:
            return self
        case .elsewhere(let reference, let load):
            return RemainingWorkflow(reference: reference) {
                do {
                    return try await load()
                } catch {
                    return try await other(error).load()
                }
            }
        case .stored(let rest):
            return RemainingWorkflow(
                StoredRest(address: rest.address, cursor: rest.cursor) {
                    do {
                        return try await rest.content()
                    } catch {
                        guard case .stored(let same) = try await other(error).place,
                            same.address.name == rest.address.name
                        else { throw error }
                        return try await same.content()
                    }
                })
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

/// A stored content that is at hand, and where it is stored.
struct StoredOrigin {
    let content: WorkflowContent
    let address: ContentAddress

    /// What remains of the content from a part on; `nil` if it is no part of it.
    func remaining(_ children: JSONArray) -> RemainingWorkflow? {
        content.cursor(of: children).map { cursor in
            RemainingWorkflow(StoredRest(address: address, cursor: cursor) { [content] in content })
        }
    }
}
