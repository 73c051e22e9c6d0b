import Dramatiq

/// Commits that are executed together: the steps that they come to, and what became of each.
struct CommitBatch {
    /// Who may take a commit's first successor, and that successor under its id.
    private struct Relay {
        let source: RedisMessageSource
        let id: String
        let envelope: Envelope
    }

    private let transport: RedisTransport
    private let commits: [Commit]
    /// The deliveries that the commits end.
    private var messages: [TakenMessage?]
    /// What is sent, so that its consumers can be told, and who may take some of it.
    private var sent: [Int: RedisCommit] = [:]
    private var relays: [Int: Relay] = [:]
    /// What is not this process's any more.
    private var ended: [TakenMessage] = []
    private(set) var steps: [CommitStep] = []
    private var results: [Result<CommitResult, any Error>]

    init(_ commits: [Commit], transport: RedisTransport) {
        self.transport = transport
        self.commits = commits
        messages = commits.map { $0.end?.delivery.handle as? TakenMessage }
        results = Array(repeating: .failure(BrokerError.commitUnanswered), count: commits.count)
        var acknowledgements: [CommitStep.Acknowledgement] = []
        var arrivals: [CommitStep.Arrival] = []
        var others: [CommitStep] = []
        for place in commits.indices {
            let message = messages[place]
            if commits[place].end != nil, message?.isEnded ?? true {
                results[place] = .failure(notHeld(place))
            } else if let message, commits[place].isPlainAcknowledgement {
                acknowledgements.append(CommitStep.Acknowledgement(place: place, message: message))
            } else if let message, !commits[place].isRepeated, let arrival = commits[place].plainArrival {
                arrivals.append(
                    CommitStep.Arrival(
                        place: place, tag: commits[place].id.value, message: message, barrier: arrival.barrier,
                        party: arrival.party))
            } else {
                do {
                    others.append(.commit(place: place, try encoded(place)))
                } catch {
                    results[place] = .failure(error)
                }
            }
        }
        steps = CommitStep.steps(acknowledgements) + CommitStep.steps(arrivals) + others
    }

    private mutating func encoded(_ place: Int) throws -> RedisCommit {
        let commit = commits[place]
        var encoded = RedisCommit(tag: commit.id.value, isRepeated: commit.isRepeated)
        if let message = messages[place], let end = commit.end { encoded.settled = (message, end.outcome) }
        encoded.deadLetterTTL = transport.configuration.deadLetterTTL.redisMilliseconds
        encoded.barriers = commit.state
        encoded.enqueues = try QueuedMessages.encoded(commit.sends)
        if let source = (commit.relay?.innermost as? RedisConsumer)?.source, !commit.isRepeated,
            commit.successors.first?.queueName == source.queueName
        {
            let (successors, first) = try QueuedMessages.encodedKeepingFirst(commit.successors)
            encoded.successors = successors
            if let first, source.beginRelay(first.id) {
                encoded.relayWorkerID = source.workerID
                relays[place] = Relay(source: source, id: first.id, envelope: first.envelope)
            }
        } else {
            encoded.successors = try QueuedMessages.encoded(commit.successors)
        }
        sent[place] = encoded
        return encoded
    }

    /// Draws the conclusions from what became of the steps.
    ///
    /// - Returns: what became of the commits.
    mutating func conclude(
        _ outcomes: [(place: Int, result: Result<RedisCommit.Result, any Error>)]
    ) -> [Result<CommitResult, any Error>] {
        for (place, outcome) in outcomes where commits.indices.contains(place) {
            do {
                results[place] = .success(try conclude(place, try outcome.get()))
            } catch {
                if let relay = relays[place] { relay.source.giveUpRelay(relay.id) }
                if let sent = sent[place] { transport.ledger.wakeConsumers(of: sent) }
                results[place] = .failure(error)
            }
        }
        if !ended.isEmpty { transport.ledger.end(ended) }
        return results
    }

    private mutating func conclude(_ place: Int, _ result: RedisCommit.Result) throws -> CommitResult {
        switch result {
        case .barrierLost(let key): throw BarrierStateLost(key: key)
        case .failed(let text): throw RedisError(.server, text)
        case .opened, .committed, .relayed, .notReleased, .notHeld: break
        }
        var relayed: Delivery?
        if let relay = relays.removeValue(forKey: place) {
            if result == .relayed {
                relayed = relay.source.endRelay(relay.id, taking: .envelope(relay.envelope))
            } else {
                relay.source.stopHolding([relay.id])
            }
        }
        if result == .opened { return CommitResult(.opened) }
        if let message = messages[place] { ended.append(message) }
        if case .notHeld = result {
            // If the answer to an acknowledgement was lost, this is the second.
            if commits[place].isPlainAcknowledgement, commits[place].isRepeated { return CommitResult(.committed) }
            throw notHeld(place)
        }
        if let sent = sent[place], relayed == nil || sent.messageCount > 1 {
            transport.ledger.wakeConsumers(of: sent)
        }
        return CommitResult(result == .notReleased ? .notReleased : .committed, relayed: relayed)
    }

    private func notHeld(_ place: Int) -> BrokerError {
        guard let delivery = commits[place].end?.delivery else { return .commitUnanswered }
        let message = try? delivery.message(decoder: JSONMessageEncoder())
        return .deliveryNotHeld(queue: delivery.queueName, messageID: message?.messageID)
    }
}
