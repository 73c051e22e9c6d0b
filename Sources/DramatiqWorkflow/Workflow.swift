public import Dramatiq

/// A workflow of tasks: chains and groups of messages, nested as you like.
///
///     try await Workflow(broker: broker) {
///         Chain {
///             fetch.message("summer")
///             Group {
///                 for path in paths { resize.message(path, 200) }
///             }
///             publish.message("summer")
///         }
///     }.run()
///
/// The broker needs a ``WorkflowMiddleware``, and so do the brokers of the workers, with the same backend. A message
/// that stands in a workflow twice gets an id of its own the second time.
public struct Workflow: Sendable {
    public let broker: Broker
    /// The definition.
    public var root: WorkflowNode
    /// What its runs are called, to find them by; empty if they have no name. At most 200 bytes, without U+001F.
    public var name: String
    /// What its runs can be found by besides. At most 20, each name and value of at most 200 bytes and
    /// without U+001F.
    public var labels: [String: String]
    /// What becomes of it when one of its tasks fails for good or is skipped, if neither the task's message nor its actor says
    /// so; `nil` for what the ``WorkflowMiddleware`` says. ``WorkflowFailurePolicy/notify(_:queue:)`` is none for a workflow.
    public var failurePolicy: WorkflowFailurePolicy?
    /// Sent once the whole workflow has succeeded, in the commit of its last task.
    ///
    /// The callbacks carry a ``RunReport``: see `Message.runReport`. They are for runs that are tracked, and take 64 KiB
    /// together at most. Nobody sends them if the last task is run by a worker of Python.
    public var onSuccess: Message?
    /// Sent when the run has failed, in the commit of the task that it fails with; once more if it is retried and fails again.
    public var onFailure: Message?
    /// Sent in both cases, and when the run is cancelled before.
    public var onEnd: Message?

    /// A workflow of one component; of several, one after the other.
    public init(
        _ components: any WorkflowComponent...,
        name: String = "",
        labels: [String: String] = [:],
        failurePolicy: WorkflowFailurePolicy? = nil,
        onSuccess: Message? = nil,
        onFailure: Message? = nil,
        onEnd: Message? = nil,
        broker: Broker
    ) {
        self.init(components.map(\.node), name, labels, failurePolicy, [onSuccess, onFailure, onEnd], broker)
    }

    /// A workflow of what the closure lists; of several components, one after the other.
    public init(
        name: String = "",
        labels: [String: String] = [:],
        failurePolicy: WorkflowFailurePolicy? = nil,
        onSuccess: Message? = nil,
        onFailure: Message? = nil,
        onEnd: Message? = nil,
        broker: Broker,
        @WorkflowBuilder _ components: () throws -> [WorkflowNode]
    ) rethrows {
        self.init(try components(), name, labels, failurePolicy, [onSuccess, onFailure, onEnd], broker)
    }

    private init(
        _ nodes: [WorkflowNode],
        _ name: String,
        _ labels: [String: String],
        _ failurePolicy: WorkflowFailurePolicy?,
        _ callbacks: [Message?],
        _ broker: Broker
    ) {
        self.broker = broker
        (onSuccess, onFailure, onEnd) = (callbacks[0], callbacks[1], callbacks[2])
        self.failurePolicy = failurePolicy
        self.name = name
        self.labels = labels
        root = nodes.count == 1 ? nodes[0] : .chain(nodes)
    }

    /// Starts the workflow: sends the messages that wait for nothing, and makes the barriers that they count at, all or
    /// none where the transport can.
    ///
    /// - Returns: the run, to ask what becomes of it.
    /// - Throws: ``WorkflowError/Code/middlewareMissing``, ``WorkflowError/Code/invalidLabels``,
    ///   ``WorkflowError/Code/invalidFailurePolicy``, ``WorkflowError/Code/invalidRunCallbacks``; if tasks take results,
    ///   ``WorkflowError/Code/resultUnknown``, ``WorkflowError/Code/resultNameRepeated``,
    ///   ``WorkflowError/Code/tooManyResults``, ``WorkflowError/Code/resultsNotKept``; or what the callback storage, the
    ///   encoder, a middleware, the rate limiter backend or the transport throws.
    @discardableResult
    public func run() async throws -> WorkflowRun {
        let (commit, runID) = try await prepareRun()
        // A workflow without a task is done.
        if !commit.sends.isEmpty || commit.state != nil { try await broker.commit(commit) }
        return WorkflowRun(id: runID, broker: broker)
    }

    /// Everything that starting the workflow means, without doing it: for who wants to start it as a part of something
    /// else, such as a transaction that the transport takes part in, or later with `Broker.commit(_:)`.
    ///
    /// What the callback storage keeps is stored already. The run's id, if it is tracked, is that of the commit's
    /// `state?.run`.
    ///
    /// - Throws: `WorkflowError` as ``run()``, or what the callback storage or a middleware throws.
    public func prepare() async throws -> Commit {
        try await prepareRun().commit
    }

    private func prepareRun() async throws -> (commit: Commit, runID: String) {
        guard let middleware = broker.middleware(of: WorkflowMiddleware.self) else {
            throw WorkflowError.middlewareMissing
        }
        return try await middleware.prepare(self)
    }
}

extension Workflow: Equatable {
    /// Whether two workflows define the same; on which brokers doesn't matter.
    public static func == (left: Workflow, right: Workflow) -> Bool {
        left.root == right.root
    }
}

extension Workflow: CustomStringConvertible {
    /// The definition as one writes it.
    public var description: String { "Workflow(\(root))" }
}
