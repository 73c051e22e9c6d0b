import Logging

/// Messages that came back. Any of them may take its worker with it, by being read as by its actor, so the transport is
/// told before each that it begins. What only waits beside such a message is not suspected, and what was processed beside
/// it once is not processed beside it again.
extension Worker {
    /// Reads and processes the messages that may have taken workers with them, one at a time.
    func runSuspects() async {
        while let suspect = await suspects.next() {
            guard await suspects.turn.begin() else { return suspects.add(suspect) }
            defer { suspects.turn.end() }
            var taken = await lookWarily(at: suspect.delivery, suspect.source)
            if case .unread(let needed) = taken {
                guard let read = await lookOnceThereIsRoom(at: suspect.delivery, suspect.source, needed) else {
                    return suspects.add(suspect)
                }
                taken = read
            }
            await putAside(suspect.delivery, suspect.source, taken)
            if case .item = taken { await suspects.waitForEnd() }
        }
    }

    private enum Noted {
        case done
        /// The message is another worker's by now.
        case notHeld
        /// The grace period is over before the transport could be told.
        case shuttingDown
    }

    /// How many workers more than it may a message has taken with it; negative if it may still be tried.
    func excessOfCrashes(_ delivery: Delivery) -> Int {
        guard delivery.crashes > 0, let maxCrashes else { return -1 }
        return delivery.crashes - max(1, maxCrashes)
    }

    func crashReason(_ delivery: Delivery) -> String {
        "The message was redelivered, and \(delivery.crashes) workers were lost while they read it or ran its actor: "
            + "killed, crashed or silent for too long. It is not tried any more"
    }

    /// Finds out what messages are that came back, by their places, except for those that are suspected.
    ///
    /// The transport is told of all of them at once, or each would cost its round trips. If one of them takes the worker
    /// with it, the others are suspected, too, and each is then found out by itself to be none of that kind.
    func lookWarily(at deliveries: [Delivery], _ source: WorkSource) async -> [Int: Taken] {
        guard broker.countsCrashes, deliveries.contains(where: \.isRedelivered) else { return [:] }
        return await withTaskGroup(of: (Int, Taken).self) { group in
            for (place, delivery) in deliveries.enumerated() where delivery.isRedelivered && delivery.crashes == 0 {
                group.addTask { (place, await self.lookWarily(at: delivery, source)) }
            }
            return await group.reduce(into: [:]) { $0[$1.0] = $1.1 }
        }
    }

    /// Finds out what a message is that came back.
    ///
    /// One that has reached the limit is read once more, for what follows from its failure. If that was what its workers
    /// died of, it is put among the dead letters unread the next time.
    ///
    /// - Parameter share: what it has of the memory budget already.
    func lookWarily(at delivery: Delivery, _ source: WorkSource, _ share: MemoryShare? = nil) async -> Taken {
        // Whoever calls is cancelled when a shutdown begins; this step is finished all the same.
        await Task {
            switch await note(delivery, isUnderWay: true, source) {
            case .done: break
            case .notHeld: return .gone
            case .shuttingDown:
                await settleOutside(source, Commit(.requeue, delivery))
                return .gone
            }
            let taken = look(at: delivery, source, share)
            // It ends now, and until then it is suspected.
            if case .useless = taken { return taken }
            if case .notHeld = await note(delivery, isUnderWay: false, source) { return .gone }
            return taken
        }.value
    }

    /// Whether a message that came back can be processed.
    enum Beginning {
        case begun
        /// A shutdown has begun before.
        case notBegun
        /// This worker doesn't hold it any more.
        case gone
    }

    /// Begins to process a message that came back.
    func begin(_ item: WorkItem) async -> Beginning {
        switch await note(item.delivery, isUnderWay: true, item.source) {
        // Returned to its queue it isn't under way any more.
        case .done: shutdown.hasBegun ? .notBegun : .begun
        case .notHeld: .gone
        case .shuttingDown: .notBegun
        }
    }

    private func note(_ delivery: Delivery, isUnderWay: Bool, _ source: WorkSource) async -> Noted {
        do {
            do {
                try await source.consumer.note(delivery, isUnderWay: isUnderWay)
            } catch  where !isNotHeld(error) {
                try await retrying.repeat(after: error) {
                    try await source.consumer.note(delivery, isUnderWay: isUnderWay)
                }
            }
        } catch is TransitionRetry.ShuttingDown {
            return .shuttingDown
        } catch  where isNotHeld(error) {
            broker.logger.notice(
                "A redelivered message is no longer this worker's", metadata: ["queue_name": "\(source.queueName)"])
            source.finish()
            return .notHeld
        } catch {
            // That it can't be counted is no reason not to do it.
            broker.logger.error(
                "A transport can't note that a redelivered message begins or waits",
                metadata: ["queue_name": "\(source.queueName)", "error": "\(error)"])
        }
        return .done
    }
}
