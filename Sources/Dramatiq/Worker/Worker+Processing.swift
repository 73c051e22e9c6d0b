import Logging

extension Worker {
    /// A message whose actor was cancelled, on its way to someone who is not.
    private struct Interrupted: Sendable {
        let item: WorkItem
        let context: MessageContext
        let interruption: ProcessorSlot.Interruption
        /// Whether the hooks after the actor have run.
        let isConcluded: Bool

        init(
            item: WorkItem,
            context: MessageContext,
            interruption: ProcessorSlot.Interruption,
            isConcluded: Bool = false
        ) {
            self.item = item
            self.context = context
            self.interruption = interruption
            self.isConcluded = isConcluded
        }

        /// A message that goes back before its actor has begun.
        init(unbegun item: WorkItem, _ context: MessageContext) {
            var context = context
            context.requeue()
            self.init(item: item, context: context, interruption: .shutdown, isConcluded: true)
        }
    }

    /// How a message's processing ended.
    private enum Processed: Sendable {
        /// It is done. Its settlement may have brought the next one.
        case done(next: WorkItem?)
        /// A shutdown has begun before it could begin.
        case notBegun
        case interrupted(Interrupted)
    }

    private enum LoopEvent: Sendable {
        case finished
        case interruptRequested
        case interrupted(Interrupted)
    }

    /// Runs one processor until the work queue is closed.
    ///
    /// The actors run in the task of a loop. To cancel one of them the whole loop is cancelled; what follows from the
    /// message is then done out here, and another loop begun. So a message that is not cancelled costs no task.
    func runProcessor(_ slot: ProcessorSlot) async {
        while let interrupted = await runLoop(slot) {
            await finish(interrupted, slot.chain)
            if interrupted.item.delivery.crashes > 0 { suspects.noteEnd() }
        }
    }

    /// Processes messages until the work queue is closed, or returns the one that was interrupted.
    private func runLoop(_ slot: ProcessorSlot) async -> Interrupted? {
        let signal = slot.renewSignal()
        return await withTaskGroup(of: LoopEvent.self) { group in
            group.addTask {
                await signal.wait()
                return .interruptRequested
            }
            group.addTask {
                let idle = Signal()
                var turns = 0
                var next: WorkItem?
                while true {
                    // Out here, so that one that has ended is not held while there is no other.
                    if next == nil { next = await self.nextItem(idle) }
                    guard let item = next else { return .finished }
                    next = nil
                    switch await self.process(item, slot, idle) {
                    case .notBegun:
                        self.workQueue.putBack(item)
                        return .finished
                    case .interrupted(let interrupted): return .interrupted(interrupted)
                    case .done(let relayed):
                        if item.delivery.crashes > 0 { self.suspects.noteEnd() }
                        next = self.nextNow(after: relayed)
                    }
                    // Messages that wait for nothing must not keep a thread from everybody else.
                    turns += 1
                    if turns.isMultiple(of: 64) { await Task.yield() }
                }
            }
            var interrupted: Interrupted?
            for await event in group {
                group.cancelAll()
                if case .interrupted(let value) = event { interrupted = value }
            }
            return interrupted
        }
    }

    /// The message that came with a settlement, or else one that needs no waiting for.
    private func nextNow(after relayed: WorkItem?) -> WorkItem? {
        relayed ?? (broker.isImmediate ? nil : workQueue.nextNow())
    }

    /// Processes one message.
    ///
    /// - Parameter idle: the processor's own.
    private func process(_ item: WorkItem, _ slot: ProcessorSlot, _ idle: Signal) async -> Processed {
        if shutdown.hasBegun { return .notBegun }
        if item.delivery.isRedelivered, broker.countsCrashes {
            switch await begin(item) {
            case .begun: break
            case .notBegun: return .notBegun
            case .gone: return .done(next: nil)
            }
        }
        guard item.source.begin(item.delivery) else {
            lose(item)
            return .done(next: nil)
        }
        let chain = slot.chain
        var context = MessageContext(broker: broker, item.delivered)
        if !chain.receiving.isEmpty {
            slot.startHooks()
            await receive(item, &context, chain)
            if slot.finishHooks() { return .interrupted(Interrupted(unbegun: item, context)) }
        }
        if chain.mayWithhold(context) {
            slot.startHooks()
            await chain.withhold(&context, retrying)
            if slot.finishHooks() { return .interrupted(Interrupted(unbegun: item, context)) }
        }
        let isAttempted = !context.isFailed && !context.isRequeued && !context.isWithheld
        if isAttempted {
            chain.willAttempt(context)
            if let next = chain.prepare(&context) {
                slot.startHooks()
                await chain.willProcess(&context, retrying, from: next)
                if slot.finishHooks() { return .interrupted(Interrupted(unbegun: item, context)) }
                // The hooks can have taken long.
                if shutdown.hasBegun { context.requeue() }
            }
        }
        if !context.isSkipped, !context.isFailed, !context.isRequeued {
            slot.start(
                context.delivered, deadline: context.effects.deadline,
                isCancelledOnShutdown: context.isCancelledOnShutdown)
            let place = chain.openNotes(context)
            do {
                if let place {
                    context.result = try await TaskNotes.$current.withValue(place) { try await chain.perform(context) }
                } else {
                    context.result = try await chain.perform(context)
                }
            } catch {
                context.error = error
            }
            if place != nil, let note = chain.closeNotes(), context.error == nil { context.result.note = note }
            context.effects.noteOutcome()
            if let interruption = slot.finish() {
                return .interrupted(Interrupted(item: item, context: context, interruption: interruption))
            }
        }
        if isAttempted, !context.isRequeued { chain.didAttempt(context) }
        // Most messages end here, with nothing that has to be waited for.
        if context.isRequeued || !context.isWithheld && chain.isConcerned(context) {
            slot.startHooks()
            await conclude(&context, chain)
            if slot.finishHooks() {
                return .interrupted(
                    Interrupted(item: item, context: context, interruption: .shutdown, isConcluded: true))
            }
        }
        let (hasEnded, earlier) = settleNow(item, context, chain)
        // The next suspect could take the worker with it before this one's commit holds.
        let isSuspect = item.delivery.crashes > 0
        if hasEnded || !isSuspect && submitNow(item, context, chain) { return .done(next: nil) }
        return .done(next: await settle(item, &context, after: earlier, isSuspect ? nil : idle))
    }

    /// Drops a message that is another worker's by now.
    private func lose(_ item: WorkItem) {
        broker.logger.notice(
            "A message is another worker's by now and isn't begun",
            metadata: ["queue_name": "\(item.source.queueName)", "message_id": "\(item.message.messageID)"])
        item.source.finish()
    }

    /// Has the middleware change a message that is to be processed.
    private func receive(_ item: WorkItem, _ context: inout MessageContext, _ chain: MiddlewareChain) async {
        do {
            let message = try await chain.received(item.message, broker: broker, retrying)
            let delivered = DeliveredMessage(
                delivery: item.delivery, message: message, actor: broker.actor(named: message.actorName))
            context = MessageContext(broker: broker, delivered)
            if shutdown.hasBegun { context.requeue() }
        } catch is TransitionRetry.ShuttingDown {
            context.requeue()
        } catch {
            context.fail("The message can't be received: \(error)", kind: .following(error))
        }
    }

    private func finish(_ interrupted: Interrupted, _ chain: MiddlewareChain) async {
        // What came later goes back before it does, so that it is in front of that again.
        if interrupted.interruption.isShutdown { await unbegunReturned.wait() }
        var context = interrupted.context
        if interrupted.isConcluded {
            if let next = await settle(interrupted.item, &context) { workQueue.push([next]) }
            return
        }
        if let error = context.error {
            switch interrupted.interruption {
            case .timeLimit:
                context.error = TimeLimitExceeded(
                    actorName: context.message.actorName,
                    messageID: context.message.messageID,
                    underlyingError: error is CancellationError ? nil : error
                )
            case .shutdown:
                context.requeue()
            case .withdrawal(let ending):
                // Whatever was begun for the message is ended, but nothing follows from how its actor ended.
                await limiting(&context) { await chain.didProcess(&$0, self.retrying) }
                if !context.isRequeued { ending(&context) }
            }
        }
        if !context.isRequeued { chain.didAttempt(context) }
        if !context.isWithheld { await limiting(&context) { await self.conclude(&$0, chain) } }
        if let next = await settle(interrupted.item, &context) { workQueue.push([next]) }
    }

    /// Runs the hooks after a message's actor.
    @inline(__always)
    private func conclude(_ context: inout MessageContext, _ chain: MiddlewareChain) async {
        if let mismatch = context.error as? ArgumentMismatch,
            mismatch.messageID.hasSameBytes(as: context.delivered.message.messageID)
        {
            // The same arguments will never fit.
            context.fail(mismatch.reason, level: .warning, kind: .arguments)
        }
        if !context.isRequeued {
            if context.isSkipped {
                await chain.didSkip(&context, retrying)
            } else {
                await chain.didProcess(&context, retrying)
                if let error = context.error, !context.isFailed, !context.isRetried, !context.isRequeued {
                    log(
                        context.delivered.message, "An actor threw and no middleware sees to it: its message is done",
                        "\(error)")
                }
            }
        }
        if !context.isRequeued, chain.isConcernedWithEnd(context) {
            await chain.willSettle(&context, retrying)
        }
    }
}
