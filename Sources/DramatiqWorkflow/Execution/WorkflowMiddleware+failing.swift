import Dramatiq
import Logging

/// What becomes of a workflow when one of its tasks fails for good or is skipped: see ``WorkflowFailurePolicy``.
extension WorkflowMiddleware {
    func applyFailurePolicy(
        _ context: inout MessageContext,
        _ ties: Message.WorkflowTies,
        _ reason: String
    ) async throws {
        // Whatever keeps the callbacks from being read shows below, where it matters.
        let callbacks = (try? await callbacks(ties)) ?? []
        let own = try WorkflowFailurePolicy(context.option(WorkflowFailurePolicy.optionName))
        let decision = own.map { Decision($0) } ?? decision(callbacks[...])
        let failsRun = decision.policy == .failFast && backend.runStore != nil
        // The others of this worker hear of it at once.
        if failsRun, let run = callbacks.first, run.isRun {
            stopped.insert(run.completionID, .failed, index: runIndex(context.broker))
        }
        context.broker.logger.log(
            level: context.failureLevel,
            "A task of a workflow failed",
            metadata: [
                "message_id": "\(context.message.messageID)",
                "actor_name": "\(context.message.actorName)",
                "reason": "\(reason)",
                "policy": "\(decision.name)",
            ]
        )
        // Once the dead letter is requeued, the workflow goes on.
        if decision.policy != .proceed, context.isFailed {
            try await keep(
                &context, ties, for: context.broker.transport.traits.deadLetterTTL, failure: reason,
                failingRun: failsRun)
        } else if decision.policy != .proceed, !callbacks.isEmpty {
            let run = runStep(context, callbacks, ties.party, .skipped, reason, failingRun: failsRun)
            context.state = run.map { StateCommit(store: backend, run: $0) }
            try await announceFailure(run, &context)
        }
        if let group = decision.group {
            let place = callbacks.index(after: group)
            let party = place < callbacks.endIndex ? callbacks[place].completionID : ties.party
            return loseMember(
                RunStep.GroupFailure.Member(party: party, cause: ties.party), of: callbacks[...group], &context)
        }
        switch decision.policy.kind {
        case .failFast, .halt, .collect:
            break
        case .proceed:
            try await advance(&context, ties, context.isSkipped ? .skipped : .failed, reason)
        case .notify(let address):
            let message = try context.broker.message(for: address, [context.message.jsonValue, .string(reason)])
            try await context.enqueue(message)
        }
    }

    /// What decides about a failure.
    private struct Decision {
        let policy: WorkflowFailurePolicy
        /// The place of the group that goes on without the member.
        var group: Int?
        var name: String { group == nil ? policy.description : "collect" }

        init(_ policy: WorkflowFailurePolicy, group: Int? = nil) {
            self.policy = policy
            self.group = group
        }
    }

    /// That of the nearest group that has a policy, or else of the run.
    private func decision(_ callbacks: ArraySlice<CompletionCallback>) -> Decision {
        for (place, callback) in zip(callbacks.indices, callbacks).reversed() {
            switch GroupMark(callback.completionID)?.policy {
            case nil: break
            case .other(let policy)?: return Decision(policy)
            case .collect?:
                // Counted with the run only.
                guard backend.runStore != nil, callbacks.first?.isRun ?? false else { return Decision(.halt) }
                return Decision(.collect(minimum: 0), group: place)
            }
        }
        return Decision(callbacks.first.flatMap { WorkflowFailurePolicy.policy(ofRun: $0.completionID) } ?? onFailure)
    }

    /// If the run has failed with a task, its callbacks are sent, and those of the groups around the task.
    func announceFailure(_ run: RunStep?, _ context: inout MessageContext) async throws {
        guard let run, let end = run.ended, end.failsRun else { return }
        let groups = end.groups.filter { GroupMark($0)?.number != nil }
        if groups.isEmpty {
            context.whenBarrierOpens = { try await announceEnd(ofRun: .failed, &$0) }
        } else {
            try await announceEnd(ofRun: .failed, groups: groups.reversed(), &context)
        }
    }

    // MARK: Groups that go on without some members

    /// A group all of whose members may have come.
    struct OpenGroup: Sendable {
        let mark: GroupMark
        let barrier: BarrierKey
        /// The entries around it.
        let outer: ArraySlice<CompletionCallback>
        /// What the end of the message means for the run.
        var run: RunStep

        init(_ mark: GroupMark, _ barrier: BarrierKey, outer: ArraySlice<CompletionCallback>, _ run: RunStep) {
            self.mark = mark
            self.barrier = barrier
            self.outer = outer
            self.run = run
        }
    }

    /// Adds to the commit that a member of a group has failed.
    ///
    /// - Parameter callbacks: up to the group's.
    private func loseMember(
        _ member: RunStep.GroupFailure.Member,
        of callbacks: ArraySlice<CompletionCallback>,
        _ context: inout MessageContext
    ) {
        guard let group = callbacks.last, let mark = GroupMark(group.completionID), let run = context.state?.run else {
            return
        }
        let barrier = barrierKey(group.completionID)
        context.state?.run?.groupFailures.append(RunStep.GroupFailure(barrier: barrier, member: member))
        let open = OpenGroup(mark, barrier, outer: callbacks.dropLast(), run)
        context.whenBarrierOpens = { context in
            if try await hasFailed(open, with: member) { return try await fail(open, with: member, &context) }
            var run = open.run
            run.groupFailures.append(
                RunStep.GroupFailure(barrier: barrier, member: member, decider: run.ended?.messageID))
            try await announceEnd(ofGroup: barrier.key, .succeeded, &context)
            do {
                try await advance(
                    &context,
                    Arrival(callbacks: open.outer, party: barrier.key, releases: [barrier], run: run))
            } catch is RunIsOver {
                context.state = nil
            }
        }
    }

    /// Whether a group has lost more members than it may.
    ///
    /// - Parameter member: one that it loses with this message.
    func hasFailed(_ group: OpenGroup, with member: RunStep.GroupFailure.Member?) async throws -> Bool {
        guard case .collect(let allowed)? = group.mark.policy, let store = backend.runStore else { return false }
        let failed = try await store.failedMembers(at: group.barrier.key, with: member?.party)
        return failed.count > allowed + failed.added
    }

    /// A group as a whole has failed: what is around it decides.
    func fail(
        _ group: OpenGroup,
        with member: RunStep.GroupFailure.Member?,
        _ context: inout MessageContext
    ) async throws {
        var run = group.run
        run.groupFailures.append(
            RunStep.GroupFailure(barrier: group.barrier, member: member, decider: run.ended?.messageID))
        try await announceEnd(ofGroup: group.barrier.key, .failed, &context)
        let decision = decision(group.outer)
        context.broker.logger.log(
            level: .warning,
            "A group of a workflow failed: too few of its members succeeded",
            metadata: ["run_id": "\(run.id)", "barrier": "\(group.barrier.key)", "policy": "\(decision.name)"])
        if decision.policy == .proceed {
            do {
                try await advance(
                    &context,
                    Arrival(callbacks: group.outer, party: group.barrier.key, releases: [group.barrier], run: run))
            } catch is RunIsOver {
                context.state = nil
            }
            return
        }
        // What the dead letter needs is kept with it.
        let refreshes = context.state?.refreshes ?? []
        context.state = StateCommit(store: backend, refreshes: refreshes, run: run)
        if let place = decision.group {
            let next = group.outer.index(after: place)
            let party = next < group.outer.endIndex ? group.outer[next].completionID : group.barrier.key
            return loseMember(
                RunStep.GroupFailure.Member(party: party, cause: group.barrier.key), of: group.outer[...place], &context
            )
        }
        switch decision.policy.kind {
        case .failFast:
            stopped.insert(run.id, .failed, index: runIndex(context.broker))
            run.index = runIndex(context.broker)
            run.ended?.failsRun = true
            context.state?.run = run
            let groups = group.outer.map(\.completionID).filter { GroupMark($0)?.number != nil }
            try await announceEnd(ofRun: .failed, groups: groups.reversed(), &context)
        case .notify(let address):
            let reason = "A group has failed: too few of its members have succeeded"
            let message = try context.broker.message(for: address, [context.message.jsonValue, .string(reason)])
            try await context.enqueue(message)
        case .halt, .proceed, .collect:
            break
        }
    }
}
