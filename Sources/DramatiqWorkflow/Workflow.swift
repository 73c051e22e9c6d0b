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

    /// A workflow of one component; of several, one after the other.
    public init(_ components: any WorkflowComponent..., broker: Broker) {
        self.init(components.map(\.node), broker)
    }

    /// A workflow of what the closure lists; of several components, one after the other.
    public init(broker: Broker, @WorkflowBuilder _ components: () throws -> [WorkflowNode]) rethrows {
        self.init(try components(), broker)
    }

    private init(_ nodes: [WorkflowNode], _ broker: Broker) {
        self.broker = broker
        root = nodes.count == 1 ? nodes[0] : .chain(nodes)
    }

    /// Starts the workflow: sends the messages that wait for nothing, and makes the barriers that they count at, all or
    /// none where the transport can.
    ///
    /// - Throws: ``WorkflowError/Code/middlewareMissing``, or what the callback storage, the encoder, a middleware, the
    ///   rate limiter backend or the transport throws.
    public func run() async throws {
        let commit = try await prepare()
        // A workflow without a task is done.
        if !commit.sends.isEmpty { try await broker.commit(commit) }
    }

    /// Everything that starting the workflow means, without doing it: for who wants to start it as a part of something
    /// else, such as a transaction that the transport takes part in, or later with `Broker.commit(_:)`.
    ///
    /// What the callback storage keeps is stored already. Nothing is to be done if the commit sends nothing.
    ///
    /// - Throws: ``WorkflowError/Code/middlewareMissing``, or what the callback storage or a middleware throws.
    public func prepare() async throws -> Commit {
        guard let middleware = broker.middleware(of: WorkflowMiddleware.self) else {
            throw WorkflowError.middlewareMissing
        }
        return try await middleware.prepare(root, broker)
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
