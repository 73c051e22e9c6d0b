import Logging

extension Worker {
    /// The pauses while a transport has an outage.
    private static let outageBackoff = TransitionRetryPolicy(attempts: 1)

    /// Takes from every queue, also from those that are declared later.
    func runConsumers() async {
        await withTaskGroup(of: Void.self) { consumers in
            for await name in broker.observeQueues() where queues?.contains(name) ?? true {
                consumers.addTask { await self.consume(name, limit: self.prefetch) }
                let delayed = QueueName.delayed(name)
                consumers.addTask { await self.consume(delayed, limit: self.broker.transport.delayedPrefetch) }
            }
        }
    }

    private func consume(_ queue: String, limit: Int) async {
        let broker = broker
        guard
            let consumer = await waitingOutOutages(
                queue, { try await broker.transport.consumer(of: queue, prefetch: limit, encoder: broker.encoder) })
        else { return }
        let source = WorkSource(queueName: queue, limit: limit, consumer: consumer)
        workQueue.add(source: source)
        while !Task.isCancelled {
            let credit = await source.waitForCredit()
            guard credit > 0,
                let deliveries = await waitingOutOutages(queue, { try await consumer.next(limit: credit) })
            else { break }
            source.add(deliveries.count)
            await accept(deliveries, source)
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
                broker.logger.error(
                    "Can't take messages, trying again",
                    metadata: ["queue_name": "\(queue)", "failures": "\(failures)", "error": "\(error)"]
                )
                try? await Task.sleep(for: Self.outageBackoff.backoff(after: failures))
            }
        }
        return nil
    }

    /// Sorts deliveries: what can be processed, what has to wait, and what nobody can process.
    private func accept(_ deliveries: [Delivery], _ source: WorkSource) async {
        var items: [WorkItem] = []
        items.reserveCapacity(deliveries.count)
        for delivery in deliveries {
            let message: Message
            do {
                message = try delivery.message(decoder: broker.encoder)
            } catch {
                await reject(delivery, source, "The message can't be decoded: \(error)")
                continue
            }
            if !message.options.isEmpty, let eta = message.options.value("eta")?.intValue {
                if broker.chain.observesDelays { await broker.chain.willDelay(message, broker: broker) }
                delayQueue.push(DelayedItem(delivery: delivery, message: message, eta: eta, source: source))
            } else if let actor = broker.actor(named: message.actorName) {
                items.append(WorkItem(delivery: delivery, message: message, actor: actor, source: source))
            } else {
                await reject(delivery, source, "No actor named '\(message.actorName)' is declared on this worker")
            }
        }
        if !items.isEmpty { workQueue.push(items) }
    }

    private func reject(_ delivery: Delivery, _ source: WorkSource, _ reason: String) async {
        broker.logger.error(
            "Message rejected", metadata: ["queue_name": "\(delivery.queueName)", "reason": "\(reason)"])
        await settleOutside(delivery, source, Settlement(outcome: .reject(reason: reason)))
    }

    /// Moves delayed messages to their queues when they are due.
    func runDelayQueue() async {
        while !Task.isCancelled {
            for item in await delayQueue.due(limit: 1000) { await move(item) }
        }
    }

    private func move(_ item: DelayedItem) async {
        var message = item.message
        message.queueName = QueueName.canonical(message.queueName)
        message.options["eta"] = nil
        let settlement = Settlement(enqueues: [Envelope(message, encoder: broker.encoder)])
        await settleOutside(item.delivery, item.source, settlement)
    }

    /// Settles a delivery that no processor has.
    private func settleOutside(_ delivery: Delivery, _ source: WorkSource, _ settlement: Settlement) async {
        // Those who call are cancelled when a shutdown begins; this step has to be finished all the same.
        let step = Task { try await self.settle(delivery, settlement) }
        do {
            _ = try await step.value
        } catch {
            // It stays unacknowledged, so the transport delivers it again.
            broker.logger.error(
                "A delivery can't be settled and stays unacknowledged",
                metadata: ["queue_name": "\(delivery.queueName)", "error": "\(error)"]
            )
        }
        source.finish(isStarving: false)
    }

    /// Settles a delivery, repeating it by the worker's policy.
    ///
    /// - Throws: the last error, or ``TransitionRetry/ShuttingDown``.
    @discardableResult
    func settle(_ delivery: Delivery, _ settlement: Settlement) async throws -> SettlementResult {
        do {
            return try await broker.transport.settle(delivery, settlement)
        } catch {
            var result = SettlementResult.committed
            try await retrying.repeat(after: error) {
                result = try await self.broker.transport.settle(delivery, settlement)
            }
            return result
        }
    }

    var retrying: TransitionRetry { TransitionRetry(policy: transitionRetries, shutdown: shutdown) }

    /// Returns to the queues what was taken and not begun, and closes the consumers.
    func returnHeld() async {
        var deliveries = workQueue.drain().map(\.delivery)
        deliveries += delayQueue.drain().map(\.delivery)
        // Each goes to the front of its queue, so the last one goes first.
        for delivery in deliveries.reversed() {
            do {
                _ = try await broker.transport.settle(delivery, Settlement(outcome: .requeue))
            } catch {
                broker.logger.error(
                    "A message can't be returned to its queue and stays unacknowledged",
                    metadata: ["queue_name": "\(delivery.queueName)", "error": "\(error)"]
                )
            }
        }
        for source in workQueue.sources { await source.consumer.close() }
    }
}
