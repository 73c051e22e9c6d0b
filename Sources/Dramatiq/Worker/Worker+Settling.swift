import Logging

/// A message whose commit its processor doesn't wait for, with what is known of it.
final class Unattended: Sendable {
    let item: WorkItem
    let context: MessageContext

    init(_ item: WorkItem, _ context: MessageContext) {
        self.item = item
        self.context = context
    }
}

/// The end of every message: its commit, and what that brings about.
extension Worker {
    /// What has become of a message's commit before ``settle(_:_:_:)``.
    enum Earlier: Sendable {
        case nothing
        /// It has opened a barrier, so there is more to do.
        case opened
        /// It failed.
        case failed(Commit, any Error)
    }

    /// Commits without waiting, if the transport can.
    ///
    /// - Returns: whether the message has ended. Otherwise what there was of it: ``settle(_:_:_:)`` goes on from there.
    func settleNow(
        _ item: WorkItem,
        _ context: MessageContext,
        _ chain: MiddlewareChain
    ) -> (hasEnded: Bool, earlier: Earlier) {
        if context.isFailed { return (false, .nothing) }
        let commit = context.commit
        switch broker.pipeline.commitNow(commit) {
        case .success(let result)? where result.status == .opened:
            return (false, .opened)
        case .success(let result)?:
            item.source.finish()
            if chain.observesCommonEnds { chain.didEnd(context, commit, result) }
            return (true, .nothing)
        case .failure(let error)?:
            return (false, .failed(commit, error))
        case nil:
            return (false, .nothing)
        }
    }

    /// Hands a commit over that nobody has to wait for, if there is a place for it.
    ///
    /// One with successors is waited for, since one of them may come with the answer.
    func submitNow(_ item: WorkItem, _ context: MessageContext, _ chain: MiddlewareChain) -> Bool {
        guard canSubmit(context), acknowledgements.enterNow() else { return false }
        submit(item, context, chain)
        return true
    }

    private func canSubmit(_ context: MessageContext) -> Bool {
        guard broker.pipeline.isBatching, !context.isFailed else { return false }
        let commit = context.commit
        // Processors don't get ahead of large results, which all have to be held.
        if let result = commit.result, result.bytes.count > MessageMemory.small { return false }
        return (commit.successors.isEmpty || relay(for: commit) == nil) && broker.pipeline.canSubmit(commit)
    }

    private func submit(_ item: WorkItem, _ context: MessageContext, _ chain: MiddlewareChain) {
        let commit = context.commit
        // What is only acknowledged needs no more to be done again than is known of the message anyway.
        let isObserved = chain.observesCommonEnds
        let token: any AnyObject & Sendable =
            commit.isPlainAcknowledgement && !isObserved ? item.delivered : Unattended(item, context)
        broker.pipeline.submit(commit, token: token, item.source, isCounted: !isObserved)
    }

    /// Commits what follows from a message, with what follows in turn when that opens a barrier.
    ///
    /// - Parameter idle: the processor's own; with it, what needs no waiting isn't waited for.
    /// - Returns: a message that came with the answer.
    func settle(
        _ item: WorkItem,
        _ context: inout MessageContext,
        after earlier: Earlier = .nothing,
        _ idle: Signal? = nil
    ) async -> WorkItem? {
        if case .nothing = earlier, let idle, canSubmit(context), await acknowledgements.enter(idle) {
            submit(item, context, broker.chain)
            return nil
        }
        let next = await settleInTurn(item, &context, earlier)
        item.source.finish()
        return next
    }

    private func settleInTurn(
        _ item: WorkItem,
        _ context: inout MessageContext,
        _ earlier: Earlier
    ) async -> WorkItem? {
        var earlier = earlier
        while true {
            if let reason = context.failureReason {
                log(item.message, "Message failed", reason, level: context.failureLevel)
            }
            var next: WorkItem?
            do {
                let (commit, result) = try await context.commitThrough { commit in
                    defer { earlier = .nothing }
                    switch earlier {
                    case .opened: return CommitResult(.opened)
                    case .failed(let failed, let error): return try await self.commit(failed, after: error)
                    case .nothing:
                        let (result, relayed) = try await self.commit(commit, ending: item)
                        next = relayed
                        return result
                    }
                } preparing: { context, prepare in
                    try await repeating(&context, prepare)
                }
                if broker.chain.observesEnds { broker.chain.didEnd(context, commit, result) }
                return next
            } catch is TransitionRetry.ShuttingDown {
                await returnToQueue(item)
                return nil
            } catch {
                let isOnlyAside = (context.isFailed || context.isRequeued) && context.commit.isBare
                guard !isNotHeld(error), !isOnlyAside else {
                    log(item.message, "A message can't be settled and stays unacknowledged", "\(error)")
                    return nil
                }
                let reason = "What follows from the message can't be done: \(error)"
                context.effects.dropWhatFollows()
                if let earlier = context.failureReason {
                    // What was to follow from its failure can't be done either, so it is put aside without that.
                    if !earlier.hasSameBytes(as: reason) {
                        context.effects.failureReason = "\(earlier). \(reason)"
                    }
                } else {
                    context.fail(reason, kind: .following(error))
                    await limiting(&context) { await self.broker.chain.willReject(&$0, self.retrying) }
                }
            }
        }
    }

    // MARK: Committing

    /// Commits the end of a message. If it has a successor and there is nothing else to be done, the successor may come
    /// along.
    private func commit(
        _ commit: Commit,
        ending item: WorkItem
    ) async throws -> (result: CommitResult, next: WorkItem?) {
        guard let source = relay(for: commit), source.reserve(settling: item.source) else {
            return (try await self.commit(commit), nil)
        }
        var relaying = commit
        relaying.relay = source.consumer
        do {
            let result = try await broker.pipeline.commit(relaying)
            if let relayed = result.relayed { return (result, await self.item(of: relayed, source)) }
            source.finish()
            return (result, nil)
        } catch {
            source.finish()
            return (try await self.commit(commit, after: error), nil)
        }
    }

    /// Who could take a commit's first successor at once.
    private func relay(for commit: Commit) -> WorkSource? {
        guard broker.pipeline.isBatching, case .acknowledge? = commit.end?.outcome,
            let successor = commit.successors.first, successor.delay == nil,
            successor.message.textSize <= MessageMemory.largestRelay
        else { return nil }
        return workQueue.idleSource(of: successor.queueName)
    }

    /// Commits, repeating it by the worker's policy.
    ///
    /// - Throws: the last error, or ``TransitionRetry/ShuttingDown``.
    @discardableResult
    private func commit(_ commit: Commit) async throws -> CommitResult {
        do {
            return try await broker.pipeline.commit(commit)
        } catch {
            return try await self.commit(commit, after: error)
        }
    }

    /// Commits what has failed once.
    private func commit(_ failed: Commit, after error: any Error) async throws -> CommitResult {
        var commit = failed
        commit.isRepeated = true
        var result = CommitResult(.committed)
        try await retrying.repeat(after: error) { [commit] in
            result = try await self.broker.pipeline.commit(commit)
        }
        return result
    }

    var retrying: TransitionRetry { TransitionRetry(policy: transitionRetries, shutdown: shutdown) }

    /// Prepares the next commit of a message that opened a barrier.
    private func repeating(
        _ context: inout MessageContext,
        _ prepare: @escaping MessageContext.Preparation
    ) async throws {
        let before = context
        // It loads and stores, and that must not keep a worker that is out of time.
        let step: @Sendable () async throws -> MessageContext = {
            var context = before
            try await prepare(&context)
            return context
        }
        do {
            context = try await retrying.limiting(step)
        } catch {
            log(context.message, "Can't prepare what follows an open barrier, trying again", "\(error)")
            try await retrying.repeat(after: error) { context = try await retrying.limiting(step) }
        }
    }

    /// Whether the message is somebody else's by now.
    func isNotHeld(_ error: any Error) -> Bool {
        (error as? BrokerError)?.code == .deliveryNotHeld
    }

    private func returnToQueue(_ item: WorkItem) async {
        do {
            _ = try await broker.pipeline.commit(Commit(.requeue, item.delivery))
        } catch {
            log(item.message, "A message can't be returned to its queue and stays unacknowledged", "\(error)")
        }
    }

    // MARK: What no processor has

    /// Puts a message among the dead letters that no processor has begun, with what its middleware add to that.
    func reject(_ item: WorkItem, _ reason: String, _ kind: FailureKind) async {
        var context = MessageContext(broker: broker, item.delivered)
        context.fail(reason, kind: kind)
        await limiting(&context) { await self.broker.chain.willSettle(&$0, self.retrying) }
        _ = await settle(item, &context)
    }

    /// Runs hooks where no processor does. When the worker is out of time, they are cancelled, and the message goes back to
    /// its queue if they don't get to their end.
    func limiting(
        _ context: inout MessageContext,
        _ hooks: @escaping @Sendable (inout MessageContext) async -> Void
    ) async {
        let before = context
        do {
            context = try await retrying.limiting {
                var context = before
                await hooks(&context)
                return context
            }
        } catch {
            context.requeue()
        }
    }

    /// Commits the end of a delivery that no processor has. Whoever calls is cancelled when a shutdown begins; this step
    /// is finished all the same.
    ///
    /// - Parameter error: why it failed already.
    /// - Returns: whether the commit holds.
    @discardableResult
    func settleOutside(_ source: WorkSource, _ commit: Commit, after error: (any Error)? = nil) async -> Bool {
        await Task {
            defer { source.finish() }
            do {
                if let error {
                    _ = try await self.commit(commit, after: error)
                } else {
                    try await self.commit(commit)
                }
                return true
            } catch {
                // It stays unacknowledged, so the transport delivers it again.
                broker.logger.error(
                    "A delivery can't be settled and stays unacknowledged",
                    metadata: ["queue_name": "\(source.queueName)", "error": "\(error)"]
                )
                return false
            }
        }.value
    }

    /// Sees to the commits that nobody waited for and that have more to be done for.
    func settleUnfinished() async {
        await withDiscardingTaskGroup { group in
            while !Task.isCancelled {
                for unfinished in await acknowledgements.unfinished() {
                    group.addTask { await self.settle(unfinished) }
                }
            }
        }
    }

    private func settle(_ unfinished: AcknowledgementWindow.Unfinished) async {
        let item = unfinished.item
        var context = unfinished.context ?? MessageContext(broker: broker, item.delivered)
        if let next = await settle(item, &context, after: unfinished.earlier) { workQueue.push([next]) }
        acknowledgements.leave(1, isPrompt: false)
    }

    /// Returns to the queues what was taken and not begun.
    func returnUnbegun() async {
        var deliveries = workQueue.drain().map(\.delivery)
        deliveries += unread.drain().map(\.delivery)
        deliveries += suspects.drain().map(\.delivery)
        deliveries += delayQueue.drain().map(\.delivery)
        // Each goes to the front of its queue, so the last one goes first.
        let commits = deliveries.reversed().map { Commit(.requeue, $0) }
        for (commit, result) in zip(commits, await broker.pipeline.commitInOrder(commits)) {
            guard case .failure(let error) = result else { continue }
            broker.logger.error(
                "A message can't be returned to its queue and stays unacknowledged",
                metadata: ["queue_name": "\(commit.end?.delivery.queueName ?? "")", "error": "\(error)"]
            )
        }
    }

    func log(
        _ message: Message,
        _ event: Logger.Message,
        _ reason: String,
        level: Logger.Level = .error
    ) {
        broker.logger.log(
            level: level,
            event,
            metadata: [
                "message_id": "\(message.messageID)",
                "actor_name": "\(message.actorName)",
                "queue_name": "\(message.queueName)",
                "reason": "\(reason)",
            ]
        )
    }
}

extension WorkSource: CommitOwner {
    func didCommit(_ count: Int) {
        finish(count)
        window.leave(count, isPrompt: true)
    }

    func didCommit(_ commit: Commit, _ token: any AnyObject & Sendable, _ result: Result<CommitResult, any Error>) {
        switch result {
        case .success(let result) where result.status != .opened:
            didCommit(1)
            if let unattended = token as? Unattended {
                unattended.context.broker.chain.didEnd(unattended.context, commit, result)
            }
        case .success:
            guard let unattended = token as? Unattended else { return }
            window.add(AcknowledgementWindow.Unfinished(unattended.item, unattended.context, .opened))
        case .failure(let error):
            if let unattended = token as? Unattended {
                window.add(
                    AcknowledgementWindow.Unfinished(unattended.item, unattended.context, .failed(commit, error)))
            } else if let delivered = token as? DeliveredMessage {
                let item = WorkItem(delivered: delivered, source: self)
                window.add(AcknowledgementWindow.Unfinished(item, nil, .failed(commit, error)))
            }
        }
    }
}
