import Dramatiq

/// Commits that are executed together: the steps that they come to, and what became of each.
struct CommitBatch {
    /// Who may take a commit's first successor, and that successor under its id.
    private struct Relay {
        let source: RedisMessageSource
        let id: String
        let envelope: Envelope
    }

    private struct Entry {
        let commit: Commit
        /// The delivery that it ends.
        let message: TakenMessage?
        /// What is sent, so that its consumers can be told.
        var sent: RedisCommit?
        var relay: Relay?
        var result: Result<CommitResult, any Error>?

        init(_ commit: Commit) {
            self.commit = commit
            message = commit.end?.delivery.handle as? TakenMessage
        }
    }

    private let transport: RedisTransport
    /// The commits in their order: a place is an index in here.
    private var entries: [Entry]
    /// What is not this process's any more.
    private var ended: [TakenMessage] = []
    private(set) var steps: [CommitStep] = []

    init(_ commits: [Commit], transport: RedisTransport) {
        self.transport = transport
        entries = commits.map { Entry($0) }
        var acknowledgements: [CommitStep.Acknowledgement] = []
        var arrivals: [CommitStep.Arrival] = []
        for (place, commit) in commits.enumerated() {
            let message = entries[place].message
            if commit.end != nil, message?.isEnded ?? true {
                entries[place].result = .failure(notHeld(place))
            } else if let result = commit.result, !transport.includes(result.backend) {
                entries[place].result = .failure(BrokerError.commitUnanswered)
            } else if let message, message.crashes == nil, commit.isPlainAcknowledgement, commit.sharesStep {
                acknowledgements.append(
                    CommitStep.Acknowledgement(place: place, message: message, result: commit.result))
            } else if let message, message.crashes == nil, !commit.isRepeated, commit.sharesStep,
                let arrival = commit.plainArrival
            {
                arrivals.append(
                    CommitStep.Arrival(
                        place: place, tag: CommitTag(commit: commit.id.value), message: message,
                        barrier: arrival.barrier,
                        party: arrival.party,
                        run: commit.state?.run.flatMap { run in run.ended.map { (run.id, $0.actorName) } },
                        result: commit.result))
            } else {
                do {
                    steps.append(.commit(place: place, try encoded(place)))
                } catch {
                    entries[place].result = .failure(error)
                }
            }
        }
        if !acknowledgements.isEmpty { steps += CommitStep.steps(acknowledgements) }
        if !arrivals.isEmpty { steps += CommitStep.steps(arrivals) }
    }

    private mutating func encoded(_ place: Int) throws -> RedisCommit {
        let commit = entries[place].commit
        var encoded = RedisCommit(tag: CommitTag(commit: commit.id.value), isRepeated: commit.isRepeated)
        if let message = entries[place].message, let end = commit.end { encoded.settled = (message, end.outcome) }
        encoded.deadLetterTTL = transport.configuration.deadLetterTTL.redisMilliseconds
        encoded.barriers = commit.state
        encoded.result = commit.result
        encoded.enqueues = try QueuedMessages.encoded(commit.sends)
        if let source = (commit.relay?.innermost as? RedisConsumer)?.source, !commit.isRepeated,
            commit.successors.first?.queueName == source.queueName
        {
            let (successors, first) = try QueuedMessages.encodedKeepingFirst(commit.successors)
            encoded.successors = successors
            if let first, source.beginRelay(first.id) {
                encoded.relayWorkerID = source.workerID
                entries[place].relay = Relay(source: source, id: first.id, envelope: first.envelope)
            }
        } else {
            encoded.successors = try QueuedMessages.encoded(commit.successors)
        }
        entries[place].sent = encoded
        return encoded
    }

    /// Draws the conclusions from what became of the steps.
    ///
    /// - Returns: what became of the commits.
    mutating func conclude(_ outcomes: [CommitScripts.Outcome]) -> [Result<CommitResult, any Error>] {
        for (place, outcome) in outcomes where entries.indices.contains(place) {
            do {
                entries[place].result = .success(try conclude(place, try outcome.get()))
            } catch {
                if let relay = entries[place].relay { relay.source.giveUpRelay(relay.id) }
                if let sent = entries[place].sent { transport.ledger.wakeConsumers(of: sent) }
                entries[place].result = .failure(error)
            }
        }
        if !ended.isEmpty { transport.ledger.end(ended) }
        return entries.map { $0.result ?? .failure(BrokerError.commitUnanswered) }
    }

    private mutating func conclude(_ place: Int, _ result: RedisCommit.Result) throws -> CommitResult {
        switch result {
        case .barrierLost(let key): throw BarrierStateLost(key: key)
        case .failed(let text): throw RedisError(.server, text)
        case .opened, .committed, .relayed, .notReleased, .notHeld: break
        }
        var relayed: Delivery?
        if let relay = entries[place].relay.take() {
            if result == .relayed {
                relayed = relay.source.endRelay(relay.id, taking: .envelope(relay.envelope))
            } else {
                relay.source.stopHolding([relay.id])
            }
        }
        if result == .opened { return CommitResult(.opened) }
        if let message = entries[place].message { ended.append(message) }
        if case .notHeld = result {
            let commit = entries[place].commit
            // If the answer to an acknowledgement was lost, this is the second.
            if commit.isPlainAcknowledgement, commit.isRepeated { return CommitResult(.committed) }
            throw notHeld(place)
        }
        if let sent = entries[place].sent, relayed == nil || sent.messageCount > 1 {
            transport.ledger.wakeConsumers(of: sent)
        }
        return CommitResult(result == .notReleased ? .notReleased : .committed, relayed: relayed)
    }

    private func notHeld(_ place: Int) -> BrokerError {
        guard let delivery = entries[place].commit.end?.delivery else { return .commitUnanswered }
        let message = try? delivery.message(decoder: JSONMessageEncoder())
        return .deliveryNotHeld(queue: delivery.queueName, messageID: message?.messageID)
    }
}

extension Commit {
    /// Whether it can be done in one with others that are alike. A result must be small, and one that could not be kept must
    /// not keep those of the others from ending once more.
    fileprivate var sharesStep: Bool {
        guard let result else { return true }
        return !isRepeated && result.bytes.count <= KeptResults.maxShared
    }
}
