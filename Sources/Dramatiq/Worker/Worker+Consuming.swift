import Logging

extension Worker {
    /// The pauses while a transport has an outage.
    static let outageBackoff = TransitionRetryPolicy(attempts: 1)

    /// Takes from every queue, also from those that are declared later.
    func runConsumers() async {
        await withTaskGroup(of: Void.self) { consumers in
            for await name in broker.observeQueues() where queues?.contains(name) ?? true {
                consumers.addTask { await self.consume(name, limit: self.prefetch) }
                let delayed = QueueName.delayed(name)
                consumers.addTask { await self.consume(delayed, limit: self.broker.transport.traits.delayedPrefetch) }
            }
        }
    }

    private func consume(_ queue: String, limit: Int) async {
        let broker = broker
        var options = ConsumerOptions(
            prefetch: limit, encoder: broker.encoder, maxCrashes: maxCrashes.map { max(1, $0) })
        options.suspectTurn = suspects.turn
        let handover = Handover()
        options.handover = handover
        guard
            let consumer = await waitingOutOutages(
                queue, { [options] in try await broker.transport.consumer(of: queue, options) })
        else { return }
        let source = WorkSource(
            queueName: queue, limit: limit, consumer: consumer, isImmediate: broker.isImmediate, workQueue: workQueue,
            window: acknowledgements)
        workQueue.add(source: source)
        let room = Signal()
        while !Task.isCancelled {
            await unread.waitForRoom(room)
            let credit = await source.waitForCredit()
            guard credit > 0,
                let deliveries = await waitingOutOutages(queue, { try await consumer.next(limit: credit) })
            else { break }
            source.add(deliveries.count)
            await accept(deliveries, source)
            handover.end()
        }
    }

    /// Repeats a step while the transport can't do it; `nil` once the task is cancelled.
    private func waitingOutOutages<Value: Sendable>(
        _ queue: String,
        _ step: () async throws -> Value
    ) async -> Value? {
        var failures = 0
        while !Task.isCancelled {
            do {
                return try await step()
            } catch {
                if Task.isCancelled { break }
                failures += 1
                let isOutage = (error as? any TransientError)?.isTransient ?? false
                broker.logger.log(
                    level: isOutage ? .warning : .error,
                    isOutage
                        ? "Can't take messages for now, trying again"
                        : "Can't take messages until this is mended, trying again",
                    metadata: ["queue_name": "\(queue)", "failures": "\(failures)", "error": "\(error)"]
                )
                try? await Task.sleep(for: Self.outageBackoff.backoff(after: failures))
            }
        }
        return nil
    }

    /// What a delivery turns out to be.
    enum Taken: Sendable {
        /// A message that can be processed.
        case item(WorkItem)
        /// One with a time when it is due, in milliseconds since 1970.
        case delayed(ReadMessage, eta: Int)
        /// One that nobody here can process; without a message if it can't be decoded.
        case useless(ReadMessage?, reason: String, FailureKind)
        /// One that there is no room for at present, and how much it needs.
        case unread(needed: Int)
        /// One that this worker doesn't hold any more.
        case gone
    }

    /// Sorts deliveries: what can be processed, what has to wait, and what nobody can process.
    private func accept(_ deliveries: [Delivery], _ source: WorkSource) async {
        var items: [WorkItem] = []
        items.reserveCapacity(deliveries.count)
        var delayed: [DelayedItem] = []
        let redelivered = await lookWarily(at: deliveries, source)
        for (place, delivery) in deliveries.enumerated() {
            if delivery.crashes > 0 {
                suspects.add(SuspectQueue.Suspect(delivery: delivery, source: source))
                continue
            }
            switch redelivered[place] ?? look(at: delivery, source) {
            case .item(let item):
                items.append(item)
            case .delayed(let message, let eta):
                delayed.append(await delay(delivery, source, message, eta))
            case let other:
                await putAside(delivery, source, other)
            }
        }
        if !items.isEmpty { await handOut(items, source) }
        delayQueue.push(delayed)
    }

    /// A message that came with the settlement of another one, if it can be processed. Otherwise it is put aside.
    func item(of delivery: Delivery, _ source: WorkSource) async -> WorkItem? {
        switch look(at: delivery, source) {
        case .item(let item): return item
        case let other:
            await putAside(delivery, source, other)
            return nil
        }
    }

    /// Reads a delivery.
    ///
    /// - Parameter share: what it has of the memory budget already.
    func look(at delivery: Delivery, _ source: WorkSource, _ share: MemoryShare? = nil) -> Taken {
        let excess = excessOfCrashes(delivery)
        if excess > 0 { return .useless(nil, reason: crashReason(delivery), .crashes) }
        let message: ReadMessage
        do {
            switch try read(delivery, share) {
            case .message(let read): message = read
            case .noRoom(let needed): return .unread(needed: needed)
            }
        } catch {
            return .useless(nil, reason: "The message can't be decoded: \(error)", .unreadable)
        }
        if excess == 0 { return .useless(message, reason: crashReason(delivery), .crashes) }
        if let eta = eta(of: message.message) { return .delayed(message, eta: eta) }
        guard let actor = broker.actor(named: message.message.actorName) else {
            return .useless(
                message, reason: "No actor named '\(message.message.actorName)' is declared on this worker",
                .unknownActor)
        }
        return .item(
            WorkItem(
                delivered: DeliveredMessage(
                    delivery: delivery, message: message.message, actor: actor, memory: message.memory),
                source: source))
    }

    func putAside(_ delivery: Delivery, _ source: WorkSource, _ taken: Taken) async {
        switch taken {
        case .item(let item):
            await handOut([item], source)
        case .delayed(let message, let eta):
            delayQueue.push([await delay(delivery, source, message, eta)])
        case .useless(let message, let reason, let kind):
            await reject(delivery, source, message, reason, kind)
        case .unread(let needed):
            unread.add(UnreadQueue.Unread(delivery: delivery, source: source, needed: needed))
        case .gone:
            break
        }
    }

    /// The next message to process; `nil` once the work queue is closed or the task cancelled.
    ///
    /// Over a transport in memory a processor looks into its queues itself before it waits: what it has just sent it
    /// goes on with, and what there is besides it hands to those that have nothing to do, so that no other task has to
    /// be woken for it.
    ///
    /// - Parameter idle: the processor's own.
    func nextItem(_ idle: Signal) async -> WorkItem? {
        guard broker.isImmediate else { return await workQueue.next(idle) }
        var item: WorkItem?
        if !Task.isCancelled {
            let (queued, elsewhere) = workQueue.takeNow()
            item = queued
            if queued == nil { item = await takeNow(from: elsewhere) }
        }
        broker.pipeline.wakeConsumers()
        if let item { return item }
        return await workQueue.next(idle)
    }

    /// Takes a message from one of the queues, and more of them for those that have nothing to do.
    private func takeNow(from elsewhere: WorkQueue.Elsewhere) async -> WorkItem? {
        var first: WorkItem?
        var others: [WorkItem] = []
        for source in elsewhere.sources {
            while others.count < elsewhere.idle || first == nil, let delivery = source.takeNow() {
                switch look(at: delivery, source) {
                case .item(let item) where first == nil: first = item
                case .item(let item): others.append(item)
                case let other: await putAside(delivery, source, other)
                }
            }
        }
        guard let first else { return nil }
        return workQueue.first(of: first, others, elsewhere)
    }

    private func reject(
        _ delivery: Delivery,
        _ source: WorkSource,
        _ message: ReadMessage?,
        _ reason: String,
        _ kind: FailureKind
    ) async {
        guard let message else {
            broker.logger.error(
                "Message rejected", metadata: ["queue_name": "\(delivery.queueName)", "reason": "\(reason)"])
            let kept = PrintableText.escape(reason, limit: PrintableText.reasonLimit)
            if await settleOutside(source, Commit(.reject(reason: kept), delivery)) {
                broker.chain.didRejectUnread(delivery, kept, kind)
            }
            return
        }
        let item = WorkItem(
            delivered: DeliveredMessage(
                delivery: delivery, message: message.message,
                actor: broker.actor(named: message.message.actorName), memory: message.memory),
            source: source)
        // As for what is settled outside of a processor: a shutdown must not cut it off.
        await Task { await self.reject(item, reason, kind) }.value
    }

    /// Returns what is still held, and closes the consumers.
    func returnHeld() async {
        await returnUnbegun()
        for source in workQueue.takeSources() { await source.consumer.close() }
    }
}
