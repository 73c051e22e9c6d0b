public import Dramatiq
import DramatiqTestKit
public import DramatiqWorkflow
import Synchronization

/// Runs of workflows that store something, and what a store has of them.
public struct StoredRuns: Sendable {
    /// A task that was to fail.
    public struct Failure: Error {}

    public let broker: Broker
    /// Has what the broker's storage keeps.
    public var store: any WorkflowStoreOperations
    /// A task for each of a workflow's, which records its argument.
    public let task: TaskActor<String, Void>
    /// A task that fails until ``mend()``, and isn't tried again by itself.
    public let fragile: TaskActor<String, Void>
    private let ran: Recorder<String>
    private let isMended: SharedFlag

    private final class SharedFlag: Sendable {
        let value = Mutex(false)
    }

    /// Declares the actors.
    public init(_ broker: Broker, _ store: any WorkflowStoreOperations) async throws {
        self.broker = broker
        self.store = store
        let (ran, isMended) = (Recorder<String>(), SharedFlag())
        self.ran = ran
        self.isMended = isMended
        task = TaskActor("stored task") { name in _ = ran.add(name) }
        fragile = TaskActor("fragile task", options: [.maxRetries(0)]) { name in
            guard isMended.value.withLock(\.self) else { throw Failure() }
            _ = ran.add(name)
        }
        try await broker.declare(task, fragile)
    }

    /// How often each task has run.
    public var counts: [String: Int] { ran.values.reduce(into: [:]) { $0[$1, default: 0] += 1 } }

    /// From now on the fragile tasks succeed.
    public func mend(_ isMended: Bool = true) {
        self.isMended.value.withLock { $0 = isMended }
    }

    /// Chains in groups in chains, with arguments that make them worth storing.
    ///
    /// - Parameter fails: whether a task in the midst is fragile.
    public func workflow(_ name: String, fails: Bool = false) -> Workflow {
        let fill = String(repeating: "x", count: 400)
        func task(_ place: String) -> Message { self.task.message("\(name) \(place) \(fill)") }
        return Workflow(
            Chain(
                task("a"),
                Group(
                    Chain(task("b"), Group(Chain(task("c"), task("d")), task("e")), task("f")),
                    Chain(fails ? fragile.message("\(name) g") : task("g"), task("h"))),
                task("i")),
            failurePolicy: fails ? .failFast : nil, broker: broker)
    }

    /// How many tasks such a workflow has.
    public static let taskCount = 9

    /// The names of what is stored.
    public func names() async throws -> [String] {
        var names: Set<String> = []
        var position: String?
        repeat {
            let page = try await store.contents(after: position)
            names.formUnion(page.contents.map(\.name))
            position = page.next
        } while position != nil
        return names.sorted()
    }

    /// Waits until nothing is stored.
    public func expectNothing() async throws {
        try await eventually { try await names().isEmpty }
    }
}

/// Notes all messages that are sent, so that they can be sent once more.
public struct SentMessages: Middleware, CommitObserver {
    public let sent = Recorder<Envelope>()

    public init() {}

    public func didCommit(_ commit: Commit, _ result: CommitResult) {
        for envelope in commit.sends { sent.add(envelope) }
        if result.status == .committed { for envelope in commit.successors { sent.add(envelope) } }
    }
}
