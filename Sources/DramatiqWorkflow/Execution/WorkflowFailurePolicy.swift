public import Dramatiq

/// What becomes of a workflow when one of its tasks fails for good or is skipped.
///
/// Set it for all workflows in the ``WorkflowMiddleware``, for an actor with `ActorOption.workflowOnFailure(_:)`, or for
/// a message with its option `workflow_on_failure`: `"halt"`, `"proceed"` or `{"notify": "actor"}`, where the actor is an
/// ``ActorAddress``.
public struct WorkflowFailurePolicy: Sendable, Hashable, CustomStringConvertible {
    /// The name of the option of actors and messages.
    public static let optionName = "workflow_on_failure"

    enum Kind: Sendable, Hashable {
        case halt
        case proceed
        case notify(ActorAddress)
    }

    let kind: Kind

    /// What waits for the task doesn't run. The message is among the dead letters: requeue it, and the workflow goes on
    /// when it succeeds.
    public static let halt = WorkflowFailurePolicy(kind: .halt)

    /// What waits for the task runs, as if it had succeeded.
    public static let proceed = WorkflowFailurePolicy(kind: .proceed)

    /// As ``halt``, and an actor gets the message as an object and the reason as text.
    ///
    /// - Parameter queue: the actor's queue, for one that the worker's broker doesn't declare: another program's.
    public static func notify(_ actorName: String, queue: String? = nil) -> WorkflowFailurePolicy {
        WorkflowFailurePolicy(kind: .notify(ActorAddress(actorName, queue: queue)))
    }

    private init(kind: Kind) {
        self.kind = kind
    }

    /// The policy that an option stands for; `nil` if there is none.
    ///
    /// - Throws: ``WorkflowError/Code/invalidFailurePolicy``.
    init?(_ option: JSONValue?) throws(WorkflowError) {
        switch option {
        case nil, .null?: return nil
        case .string(let text)? where text.hasSameBytes(as: "halt"): self = .halt
        case .string(let text)? where text.hasSameBytes(as: "proceed"): self = .proceed
        case .object(let object)?:
            guard let address = object["notify"].flatMap(ActorAddress.init) else {
                throw .invalidFailurePolicy("\(object)")
            }
            self.init(kind: .notify(address))
        case let other?: throw .invalidFailurePolicy("\(other)")
        }
    }

    /// The option's value.
    public var jsonValue: JSONValue {
        switch kind {
        case .halt: "halt"
        case .proceed: "proceed"
        case .notify(let address): ["notify": address.jsonValue]
        }
    }

    /// The actor that gets messages by it.
    var address: ActorAddress? {
        if case .notify(let address) = kind { return address }
        return nil
    }

    public var description: String { jsonValue.description }
}

extension ActorOption {
    /// What becomes of a workflow when this actor's task fails for good or is skipped (`workflow_on_failure`).
    public static func workflowOnFailure(_ policy: WorkflowFailurePolicy) -> ActorOption {
        .custom(WorkflowFailurePolicy.optionName, policy.jsonValue)
    }
}
