import Logging

extension Worker {
    /// A message whose actor was cancelled, on its way to someone who is not.
    private struct Interrupted: Sendable {
        let item: WorkItem
        let context: MessageContext
        let interruption: ProcessorSlot.Interruption
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
            await finish(interrupted)
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
                var next = await self.nextItem(idle)
                while let item = next {
                    switch await self.process(item, slot, idle) {
                    case .notBegun:
                        self.workQueue.putBack(item)
                        return .finished
                    case .interrupted(let interrupted): return .interrupted(interrupted)
                    case .done(let relayed):
                        next = self.nextNow(after: relayed)
                        if next == nil { next = await self.nextItem(idle) }
                    }
                    // Messages that wait for nothing must not keep a thread from everybody else.
                    turns += 1
                    if turns.isMultiple(of: 64) { await Task.yield() }
                }
                return .finished
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
        relayed ?? (broker.immediateTransport == nil ? workQueue.nextNow() : nil)
    }

    /// Processes one message.
    ///
    /// - Parameter idle: the processor's own.
    private func process(_ item: WorkItem, _ slot: ProcessorSlot, _ idle: Signal) async -> Processed {
        if shutdown.hasBegun { return .notBegun }
        let chain = broker.chain
        var context = MessageContext(broker: broker, item.delivered)
        if let next = chain.prepare(&context) {
            await chain.willProcess(&context, retrying, from: next)
            // The hooks can have taken long.
            if shutdown.hasBegun { context.requeue() }
        }
        if !context.isSkipped, !context.isFailed, !context.isRequeued {
            slot.start(deadline: context.deadline, isCancelledOnShutdown: context.isCancelledOnShutdown)
            do {
                if chain.processing.isEmpty {
                    context.result = try await context.actor.perform(context.message)
                } else {
                    context.result = try await perform(context, chain.processing[...])
                }
            } catch {
                context.error = error
            }
            context.effects.noteOutcome()
            if let interruption = slot.finish() {
                return .interrupted(Interrupted(item: item, context: context, interruption: interruption))
            }
        }
        if finishNow(item, context) { return .done(next: nil) }
        if let transport = broker.batchingTransport, isUneventful(context),
            context.settlement.isPlainAcknowledgement,
            // Waits only if it has to, since every message comes by here.
            acknowledgements.enterNow() ? true : await acknowledgements.enter(idle)
        {
            transport.acknowledgeSoon(item.delivery, token: item.delivered, item.source)
            return .done(next: nil)
        }
        return .done(next: await finish(item, &context, idle))
    }

    private func perform(
        _ context: MessageContext,
        _ middleware: ArraySlice<any ProcessingMiddleware>
    ) async throws -> ActorResult {
        guard let first = middleware.first else { return try await context.actor.perform(context.message) }
        return try await first.process(context) { try await perform(context, middleware.dropFirst()) }
    }

    private func finish(_ interrupted: Interrupted) async {
        // What came later goes back before it does, so that it is in front of that again.
        if interrupted.interruption == .shutdown { await unbegunReturned.wait() }
        var context = interrupted.context
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
            }
        }
        if let next = await finish(interrupted.item, &context, Signal()) { workQueue.push([next]) }
    }

    /// Settles a message that nothing follows from, if the transport needs no waiting. That is most messages.
    ///
    /// - Returns: whether it was done; otherwise ``finish(_:_:_:)`` finds out what there is to do.
    private func finishNow(_ item: WorkItem, _ context: MessageContext) -> Bool {
        guard let transport = broker.immediateTransport, isUneventful(context),
            let result = try? transport.settleNow(item.delivery, context.settlement), result != .barrierOpened
        else { return false }
        item.source.finish()
        return true
    }

    /// Whether no middleware has anything to do for a message any more.
    private func isUneventful(_ context: MessageContext) -> Bool {
        !context.isRequeued && !broker.chain.isConcerned(context)
            && !broker.chain.observesSettlement(.acknowledge)
    }

    /// Does everything that follows from a message's processing, and settles it.
    ///
    /// - Parameter idle: the processor's own.
    /// - Returns: a message that came with the settlement.
    private func finish(_ item: WorkItem, _ context: inout MessageContext, _ idle: Signal) async -> WorkItem? {
        let chain = broker.chain
        if let mismatch = context.error as? ArgumentMismatch, mismatch.messageID == item.message.messageID {
            // The same arguments will never fit.
            context.fail(mismatch.reason, level: .warning)
        }
        if !context.isRequeued {
            if context.isSkipped {
                await chain.didSkip(&context, retrying)
            } else {
                await chain.didProcess(&context, retrying)
                if let error = context.error, !context.isFailed, !context.isRetried, !context.isRequeued {
                    log(item.message, "An actor threw and no middleware sees to it: its message is done", "\(error)")
                }
            }
        }
        if !context.isRequeued {
            await chain.willSettle(&context, retrying)
        }
        if let transport = broker.batchingTransport, !context.isFailed,
            !chain.observesSettlement(.acknowledge), transport.canSettleSoon(context.settlement),
            acknowledgements.enterNow() ? true : await acknowledgements.enter(idle)
        {
            let observer = SettlementUnderWay(item, context, acknowledgements)
            transport.settleSoon(item.delivery, context.settlement, observer)
            return nil
        }
        let next = await settle(item, &context)
        item.source.finish()
        return next
    }

    /// Puts a message among the dead letters that no processor has begun, with what its middleware add to that.
    func reject(_ item: WorkItem, _ reason: String) async {
        var context = MessageContext(broker: broker, item.delivered)
        context.fail(reason)
        await broker.chain.willSettle(&context, retrying)
        _ = await settle(item, &context)
        item.source.finish()
    }

    /// Goes on with a settlement that nobody waited for.
    ///
    /// - Parameter isOpen: whether it has opened a barrier, so that there is more to do; otherwise it failed.
    func settleAgain(_ item: WorkItem, _ context: MessageContext, isOpen: Bool) async {
        var context = context
        let next = await settle(item, &context, isOpen: isOpen)
        if let next { workQueue.push([next]) }
        item.source.finish()
    }

    /// Settles a message, with what follows when that opens a barrier.
    ///
    /// - Parameter isOpen: whether that is so already.
    private func settle(
        _ item: WorkItem,
        _ context: inout MessageContext,
        isOpen: Bool = false
    ) async -> WorkItem? {
        var isOpen = isOpen
        while true {
            if let reason = context.failureReason {
                context.settlement.outcome = .reject(reason: reason)
                log(item.message, "Message failed", reason, level: context.failureLevel)
            }
            do {
                let (result, next) = isOpen ? (.barrierOpened, nil) : try await settle(item, context.settlement)
                isOpen = false
                if result == .barrierOpened, let continuation = context.whenBarrierOpens {
                    context.whenBarrierOpens = nil
                    try await repeating(&context, continuation)
                    continue
                }
                if broker.chain.observesSettlement(context.settlement.outcome) {
                    await broker.chain.didSettle(context, result)
                }
                return next
            } catch is TransitionRetry.ShuttingDown {
                await giveBack(item)
                return nil
            } catch {
                guard !isNotHeld(error), !isBare(context.settlement) else {
                    log(item.message, "A message can't be settled and stays unacknowledged", "\(error)")
                    return nil
                }
                let reason = "What follows from the message can't be done: \(error)"
                context.settlement = Settlement()
                if let earlier = context.failureReason {
                    // What was to follow from its failure can't be done either, so it is put aside without that.
                    context.effects.failureReason = "\(earlier). \(reason)"
                } else {
                    context.fail(reason)
                    await broker.chain.willReject(&context, retrying)
                }
            }
        }
    }

    /// Settles a message. If it has a successor and there is nothing else to be done, the successor may come along.
    private func settle(
        _ item: WorkItem,
        _ settlement: Settlement
    ) async throws -> (result: SettlementResult, next: WorkItem?) {
        guard let transport = broker.batchingTransport, settlement.outcome == .acknowledge,
            let successor = settlement.successors.first, successor.delay == nil,
            let source = workQueue.idleSource(of: successor.queueName), source.reserve(settling: item.source)
        else { return (try await settle(item.delivery, settlement), nil) }
        do {
            let (result, relayed) = try await transport.settle(item.delivery, settlement, relayingTo: source.consumer)
            if let relayed { return (result, await self.item(of: relayed, source)) }
            source.finish()
            return (result, nil)
        } catch {
            source.finish()
            return (try await settle(item.delivery, settlement, after: error), nil)
        }
    }

    /// Whether the message is somebody else's by now.
    private func isNotHeld(_ error: any Error) -> Bool {
        if case BrokerError.deliveryNotHeld = error { true } else { false }
    }

    /// Whether nothing but the delivery itself is settled.
    private func isBare(_ settlement: Settlement) -> Bool {
        settlement.enqueues.isEmpty && settlement.successors.isEmpty && settlement.barriers == nil
            && settlement.outcome != .acknowledge
    }

    /// Prepares the next settlement of a message that opened a barrier.
    private func repeating(
        _ context: inout MessageContext,
        _ step: @Sendable (inout MessageContext) async throws -> Void
    ) async throws {
        let before = context.effects
        do {
            try await step(&context)
        } catch {
            log(context.message, "Can't go on with a workflow, trying again", "\(error)")
            try await retrying.repeat(after: error) {
                context.effects = before
                try await step(&context)
            }
        }
    }

    private func giveBack(_ item: WorkItem) async {
        do {
            _ = try await broker.transport.settle(item.delivery, Settlement(outcome: .requeue))
        } catch {
            log(item.message, "A message can't be returned to its queue and stays unacknowledged", "\(error)")
        }
    }

    private func log(
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

/// A settlement that its processor doesn't wait for.
private final class SettlementUnderWay: SettlementObserver {
    private let item: WorkItem
    private let context: MessageContext
    private let window: AcknowledgementWindow

    init(_ item: WorkItem, _ context: MessageContext, _ window: AcknowledgementWindow) {
        self.item = item
        self.context = context
        self.window = window
    }

    func didSettle(_ result: Result<SettlementResult, any Error>) {
        switch result {
        case .success(.committed), .success(.notReleased):
            item.source.finish()
            window.leave(1, isPrompt: true)
        case .success(.barrierOpened):
            window.add([.unsettled(item, context, isOpen: true)])
        case .failure:
            // Settled once more, it shows why.
            window.add([.unsettled(item, context, isOpen: false)])
        }
    }
}
