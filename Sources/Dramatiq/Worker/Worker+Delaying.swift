import Logging

/// The way of delayed messages that are due to their queues.
extension Worker {
    /// How many messages are moved before it is looked what else is due.
    private static let movedAtOnce = 1000

    /// A delayed message that is due, on its way to its queue.
    private struct Move: Sendable {
        let source: WorkSource
        var commit: Commit
        /// What the message has of the memory budget.
        let memory: MemoryShare?
    }

    /// One that didn't get there, for another reason than an outage.
    private struct FailedMove: Sendable {
        let move: Move
        let error: any Error
    }

    /// Moves delayed messages to their queues when they are due, many at a time. There they stand in the order in which
    /// they were due, and those due at the same time in the one in which they came.
    func runDelayQueue() async {
        await withDiscardingTaskGroup { group in
            while !Task.isCancelled {
                let moves = await delayQueue.due(limit: Self.movedAtOnce).compactMap(move)
                if moves.isEmpty { continue }
                // Whoever runs this is cancelled when a shutdown begins; what was begun is finished all the same.
                for failed in await Task(operation: { await self.perform(moves) }).value {
                    // It must not keep those behind it waiting.
                    group.addTask {
                        await self.settleOutside(failed.move.source, failed.move.commit, after: failed.error)
                    }
                }
            }
        }
    }

    /// A message with a time when it is due, as it waits for that.
    ///
    /// One that lies in the queue itself, as when somebody else's program put it there, goes to the delay queue at once:
    /// otherwise a few of them that are due much later could be all that the worker may hold.
    func delay(_ delivery: Delivery, _ source: WorkSource, _ message: ReadMessage, _ eta: Int) async -> DelayedItem {
        let now = broker.clock.milliseconds
        if eta > now, source.queueName != QueueName.delayed(source.queueName) {
            return DelayedItem(
                delivery: delivery, message: message, due: .min, delay: .milliseconds(eta &- now), source: source,
                actorName: message.message.actorName)
        }
        await broker.chain.willDelay(message.message, broker: broker)
        // What is large waits as it came.
        let isKept = eta <= now || message.memory == nil
        return DelayedItem(
            delivery: delivery, message: isKept ? message : nil, due: eta, delay: nil, source: source,
            actorName: message.message.actorName)
    }

    private func move(_ item: DelayedItem) -> Move? {
        guard let read = item.message else {
            if item.delivery.crashes > 0 {
                suspects.add(SuspectQueue.Suspect(delivery: item.delivery, source: item.source))
                return nil
            }
            let needed = roomToRead(item.delivery)
            unread.add(UnreadQueue.Unread(delivery: item.delivery, source: item.source, needed: needed))
            return nil
        }
        var message = read.message
        let queue = QueueName.canonical(item.source.queueName)
        if item.delay == nil {
            message.queueName = queue
            message.options["eta"] = nil
        } else {
            message.queueName = QueueName.delayed(queue)
        }
        return Move(
            source: item.source,
            commit: Commit(
                end: Commit.End(item.delivery, .acknowledge),
                sends: Envelopes(Envelope(message, delay: item.delay, encoder: broker.encoder))),
            memory: read.memory)
    }

    /// Waits out an outage, so that the order stays.
    private func perform(_ moves: [Move]) async -> [FailedMove] {
        var rest = moves
        var failed: [FailedMove] = []
        guard let outage = await commit(&rest, &failed) else { return failed }
        do {
            try await retrying.repeat(after: outage) {
                if let outage = await commit(&rest, &failed) { throw outage }
            }
        } catch {
            // A shutdown's time is over.
            failed += rest.map { FailedMove(move: $0, error: error) }
        }
        return failed
    }

    /// Commits moves once, in their order. Those that an outage kept from it are left.
    private func commit(_ moves: inout [Move], _ failed: inout [FailedMove]) async -> (any TransientError)? {
        var outage: (any TransientError)?
        var rest: [Move] = []
        var done: [ObjectIdentifier: (source: WorkSource, count: Int)] = [:]
        for (index, result) in await broker.pipeline.commitInOrder(moves.map(\.commit)).enumerated() {
            var move = moves[index]
            switch result {
            case .success:
                done[ObjectIdentifier(move.source), default: (move.source, 0)].count += 1
            case .failure(let error as BrokerError) where error.code == .deliveryNotHeld:
                // It was removed, or is another worker's by now.
                broker.logger.notice(
                    "A delayed message is no longer this worker's", metadata: ["queue_name": "\(move.source.queueName)"]
                )
                done[ObjectIdentifier(move.source), default: (move.source, 0)].count += 1
            case .failure(let error as any TransientError) where error.isTransient:
                outage = error
                move.commit.isRepeated = true
                rest.append(move)
            case .failure(let error):
                failed.append(FailedMove(move: move, error: error))
            }
        }
        moves = rest
        // All at once, so that the next ones come in a batch, too.
        for (source, count) in done.values { source.finish(count) }
        return outage
    }
}
