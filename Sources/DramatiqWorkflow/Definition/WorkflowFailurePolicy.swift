public import Dramatiq

/// What becomes of a workflow when one of its tasks fails for good or is skipped.
///
/// Set it for all workflows in the ``WorkflowMiddleware``, for one as its ``Workflow/failurePolicy``, for a group as its
/// ``Group/failurePolicy``, for an actor with `ActorOption.workflowOnFailure(_:)`, or for a message with its option
/// `workflow_on_failure`: `"fail_fast"`, `"halt"`, `"proceed"` or `{"notify": "actor"}`, where the actor is an
/// `ActorAddress`. The nearest to the task decides: its message, its actor, the innermost group that has one, its workflow,
/// the middleware of the worker that runs it.
public struct WorkflowFailurePolicy: Sendable, Hashable, CustomStringConvertible {
    /// The name of the option of actors and messages.
    public static let optionName = "workflow_on_failure"

    enum Kind: Sendable, Hashable {
        case failFast
        case halt
        case proceed
        case notify(ActorAddress)
        case collect(minimum: Int)
    }

    let kind: Kind

    /// The whole run fails: nothing more of it starts, and what has not started yet is put aside when a worker meets it. What
    /// runs goes on. ``WorkflowRun/retryFailed(perSecond:)`` has the run go on, and so has requeuing the task's dead letter.
    ///
    /// Where the run is not tracked it is as ``halt``.
    public static let failFast = WorkflowFailurePolicy(kind: .failFast)

    /// What waits for the task doesn't run; what doesn't goes on. The message is among the dead letters: requeue it, and the workflow goes on
    /// when it succeeds.
    public static let halt = WorkflowFailurePolicy(kind: .halt)

    /// What waits for the task runs, as if it had succeeded.
    public static let proceed = WorkflowFailurePolicy(kind: .proceed)

    /// For a group: it goes on once all of its members have ended, if at least so many of them have succeeded; otherwise the
    /// group as a whole has failed, which is for what is around it to decide as if it were a task.
    ///
    /// A member with a task that fails for good or is skipped has failed: of what waits for that task in the member nothing runs.
    /// Its other tasks go on, and nobody waits for them. What is added by `WorkflowTask.add(_:)` counts as further members.
    ///
    /// Where the run is not tracked it is as ``halt``.
    ///
    /// - Parameter minimum: how many members have to succeed; at most as many as there are.
    public static func collect(minimum: Int) -> WorkflowFailurePolicy {
        WorkflowFailurePolicy(kind: .collect(minimum: minimum))
    }

    /// As ``halt``, and an actor gets the message as an object and the reason as text.
    ///
    /// - Parameters:
    ///   - actorName: the actor's name.
    ///   - queue: the actor's queue, for one that the worker's broker doesn't declare: another program's.
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
        case .string(let text)? where text.hasSameBytes(as: "fail_fast"): self = .failFast
        case .string(let text)? where text.hasSameBytes(as: "halt"): self = .halt
        case .string(let text)? where text.hasSameBytes(as: "proceed"): self = .proceed
        case .object(let object)? where object["collect"] != nil:
            guard let minimum = object["collect"]?.intValue else { throw .invalidFailurePolicy("\(object)") }
            self = .collect(minimum: minimum)
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
        case .failFast: "fail_fast"
        case .halt: "halt"
        case .proceed: "proceed"
        case .notify(let address): ["notify": address.jsonValue]
        case .collect(let minimum): ["collect": .integer(minimum)]
        }
    }

    /// What stands in the id of a run for the policy that its workflow has; `nil` if it can't have it.
    var runMark: String? {
        if case .string(let text) = jsonValue { ":\(text)" } else { nil }
    }

    /// The policy of the workflow of a run.
    static func policy(ofRun id: String) -> WorkflowFailurePolicy? {
        [.failFast, .halt, .proceed].first { policy in
            policy.runMark.map { id.hasByteSuffix($0 + RunStep.idSuffix) } ?? false
        }
    }

    /// The actor that gets messages by it.
    var address: ActorAddress? {
        if case .notify(let address) = kind { return address }
        return nil
    }

    public var description: String { jsonValue.description }
}

extension WorkflowError {
    static func untrackedPolicy(_ policy: WorkflowFailurePolicy) -> WorkflowError {
        WorkflowError(
            code: .invalidFailurePolicy,
            description:
                "Neither a workflow nor a group can have the failure policy \(policy) of its own: it takes a run that "
                + "is tracked, for {\"notify\": \"actor\"} the option of its messages or actors, and for a minimum a group"
        )
    }

    static var collectingPlainBarriers: WorkflowError {
        WorkflowError(
            code: .invalidFailurePolicy,
            description:
                "A group can't go on without some of its members where barriers are dramatiq's plain ones: use "
                + "barriers that open at most once")
    }

    static func unreachableMinimum(_ minimum: Int, count: Int) -> WorkflowError {
        WorkflowError(
            code: .invalidFailurePolicy,
            description: "Of a group of \(count) members \(minimum) can't succeed")
    }
}

extension ActorOption {
    /// What becomes of a workflow when this actor's task fails for good or is skipped (`workflow_on_failure`).
    public static func workflowOnFailure(_ policy: WorkflowFailurePolicy) -> ActorOption {
        .custom(WorkflowFailurePolicy.optionName, policy.jsonValue)
    }
}
