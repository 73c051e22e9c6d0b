import Dramatiq
import Synchronization

/// The task that is running: what its actor can do for the workflow that it belongs to.
///
///     let list = TaskActor("list", queue: "images") { (directory: String) in
///         try WorkflowTask.add {
///             for path in try await paths(in: directory) { resize.message(path, 200) }
///         }
///     }
public enum WorkflowTask {
    /// Adds tasks for which what follows this task waits, too: in a group, they are members of that group from now on; behind
    /// a step of a chain, the next step starts when they are done. Behind a task that nothing waits for, and in a message of
    /// no workflow, they are just sent.
    ///
    /// They run side by side and are sent with the end of this task, in the same commit, and only if it succeeds: one that
    /// fails, or is tried again, has added nothing. So nothing that waits for the task can begin before them, and a task
    /// that is delivered again adds nothing twice. Each may add others in turn; members of one group cost the messages
    /// nothing more for that.
    ///
    /// The messages get other ids, which are the same whenever the task adds the same again. Where a store other than the
    /// transport's has the barriers, that is what keeps a crash from running what was added twice, so a task should
    /// then add the same again.
    ///
    /// - Throws: ``WorkflowError/Code/notInTask``; ``WorkflowError/Code/resultUnknown`` for what takes results or has a name
    ///   to take one by, which only the definition of a workflow can; `ArgumentFailure` for a message with arguments that
    ///   can't be encoded, `BrokerError` for one whose queue's name is none. Nothing is added then.
    public static func add(_ components: any WorkflowComponent...) throws {
        try add(components.map(\.node))
    }

    /// Adds what the closure lists: see ``add(_:)-(WorkflowComponent...)``.
    ///
    /// - Throws: what the closure throws, too.
    public static func add(@WorkflowBuilder _ components: () throws -> [WorkflowNode]) throws {
        try add(try components())
    }

    private static func add(_ nodes: [WorkflowNode]) throws {
        guard let place = TaskNotes.current else { throw WorkflowError.notInTask }
        for node in nodes {
            guard !node.usesResults else { throw WorkflowError.resultsOfAdded }
            guard try NumberedGroups(node).callbacks.isEmpty else {
                throw WorkflowError.invalidRunCallbacks("its run keeps those of the groups that it is started with")
            }
            try node.walkMessages { message in
                if let failure = message.argumentFailure { throw failure }
                try QueueName.check(message.queueName)
            }
        }
        let isRunning = place.update { note in
            let additions = note as? Additions ?? Additions()
            additions.add(nodes)
            note = additions
        }
        guard isRunning else { throw WorkflowError.notInTask }
    }

    /// Runs an actor's code in place and returns what it adds, for tests.
    ///
    ///     let added = try await WorkflowTask.additions { try await list("holiday") }
    ///     #expect(added == [resize.message("beach.png", 200).node])
    ///
    /// - Throws: what the code throws.
    public static func additions<Failure: Error>(
        of body: () async throws(Failure) -> Void
    ) async throws(Failure) -> [WorkflowNode] {
        let notes = TaskNotes()
        let result: Result<Void, Failure> = await TaskNotes.$current.withValue(notes.open()) {
            do throws(Failure) {
                return .success(try await body())
            } catch {
                return .failure(error)
            }
        }
        let additions = notes.close() as? Additions
        try result.get()
        return additions?.nodes ?? []
    }

    /// What a task has added.
    final class Additions: Sendable {
        private let added = Mutex<[WorkflowNode]>([])

        var nodes: [WorkflowNode] { added.withLock(\.self) }

        func add(_ more: [WorkflowNode]) {
            added.withLock { $0 += more }
        }
    }
}
