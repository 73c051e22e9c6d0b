package import Dramatiq

/// Tasks that a running one adds: see ``WorkflowTask``.
extension WorkflowMiddleware: NotingMiddleware {
    /// A task that nothing waits for can't be told from a message of no workflow, so any message can add others.
    package func takesNote(_ context: MessageContext) -> Bool {
        !context.delivered.hasOptions || !context.delivered.message.isPiped
    }

    /// Adds to the commit what the task has added. Returns `false` if there is nothing.
    func startsAdded(_ context: inout MessageContext) async throws -> Bool {
        do {
            return try await startAdded(&context)
        } catch is RunIsOver {
            // It has come once more.
            return true
        }
    }

    /// Members of a group are counted where the task itself is. Elsewhere the task is followed by one, which is what it has
    /// added or the group that this makes up. Where messages and barriers aren't committed in one, and for the run as a
    /// whole, which counts one party, that one takes the task's place: it arrives, and the task doesn't.
    private func startAdded(_ context: inout MessageContext) async throws -> Bool {
        guard let nodes = (context.result.note as? WorkflowTask.Additions)?.nodes else { return false }
        let party = context.delivered.message.messageID
        var callbacks: [CompletionCallback] = []
        if let reference = context.delivered.message.ownCallbacks {
            callbacks = try await self.callbacks(
                Message.WorkflowTies(reference: reference, party: party), of: context.delivered.message)
        }
        let arrives = callbacks.last.map { !$0.isRun } ?? false && context.broker.transport.includes(backend)
        let joins = arrives && callbacks.last?.propagates ?? false
        let parts = joins || callbacks.isEmpty || nodes.count == 1 ? nodes : [.group(nodes)]
        let plan = try WorkflowPlan(
            adding: parts, to: callbacks, after: context.delivered.message.queueName,
            identities: .added(by: party), makeCompletionID: derivedIDs(from: party, context.broker))
        if plan.tasks.isEmpty { return false }
        let stored = try await send(plan, &context)
        if callbacks.isEmpty, plan.barriers.isEmpty { return true }
        var run = runStep(context, callbacks, party, .succeeded)
        run?.sent = plan.taskCounts
        run?.stored = stored
        run?.added = RunStep.TaskCount.counts(
            nodes.lazy.flatMap { $0.walkMessages() }.map(\.taskActorName))
        let barriers = callbacks.map { barrierKey($0.completionID, keptFor: .milliseconds(plan.longestDelay)) }
        var state = StateCommit(store: backend, creations: creations(plan), refreshes: barriers, run: run)
        if arrives {
            state.arrival = StateCommit.Arrival(
                barrier: barriers[barriers.count - 1], party: party, releases: false,
                added: parts.count - plan.completionCount)
        }
        context.state = state
        return true
    }
}
