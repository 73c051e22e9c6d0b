import DequeModule
package import NIOCore

/// The requests that were sent, in the order in which their answers come.
///
/// A request that nobody waits for any longer keeps its place: its answers still come and are dropped.
package struct ReplyQueue<Request>: ~Copyable {
    package typealias Outcome = RequestOutcome<Request>

    package init() {}

    private struct Slot {
        let pending: PendingRequest<Request>
        let sentAt: NIODeadline
        var results: [Result<RESPValue, RedisError>] = []
        var missing: Int
        var isDiscarded = false

        /// Takes an answer; returns whether it was the last one.
        mutating func receive(_ result: Result<RESPValue, RedisError>) -> Bool {
            missing -= 1
            if !isDiscarded { results.append(result) }
            return missing == 0
        }
    }

    private var slots: Deque<Slot> = []
    /// How many of the first slots are known to be past their deadline.
    private var expired = 0

    package var isEmpty: Bool { slots.isEmpty }
    /// How many answers are still to come.
    package private(set) var missingCount = 0
    /// When the oldest request was sent.
    package var oldestSentAt: NIODeadline? { slots.first?.sentAt }
    /// When the next request is to be given up.
    package var nextDeadline: NIODeadline? { expired < slots.count ? slots[expired].pending.deadline : nil }

    package mutating func append(_ pending: PendingRequest<Request>, now: NIODeadline) {
        var slot = Slot(pending: pending, sentAt: now, missing: pending.commandCount)
        if pending.commandCount > 1 { slot.results.reserveCapacity(pending.commandCount) }
        slots.append(slot)
        missingCount += pending.commandCount
    }

    /// What an answer led to.
    package enum Received {
        /// Its request misses others, or nobody waits for it.
        case kept
        /// Its request has all of its answers.
        case completed(Outcome)
        /// There is no request that it could answer.
        case unasked
    }

    /// Takes the next answer.
    package mutating func receive(_ result: Result<RESPValue, RedisError>) -> Received {
        guard !slots.isEmpty else { return .unasked }
        missingCount -= 1
        // In its place: a slot that is read as a whole is copied.
        guard slots[0].receive(result) else { return .kept }
        let slot = slots.removeFirst()
        expired = max(0, expired - 1)
        return slot.isDiscarded ? .kept : .completed(Outcome(request: slot.pending.request, results: slot.results))
    }

    /// Drops the answers of a request from now on. Returns whether it is here.
    package mutating func discard(id: UInt64) -> Bool {
        guard let index = slots.firstIndex(ofID: id, \.pending.id) else { return false }
        slots[index].isDiscarded = true
        slots[index].results = []
        return true
    }

    /// Gives up the requests whose time is over; their places stay.
    package mutating func expire(now: NIODeadline, _ error: RedisError) -> [Outcome] {
        var outcomes: [Outcome] = []
        while expired < slots.count, slots[expired].pending.deadline <= now {
            if !slots[expired].isDiscarded {
                outcomes.append(outcome(of: slots[expired], rest: error))
                slots[expired].isDiscarded = true
                slots[expired].results = []
            }
            expired += 1
        }
        return outcomes
    }

    /// Ends all requests: no answer will come any more.
    package mutating func removeAll(_ error: RedisError) -> [Outcome] {
        let outcomes = slots.filter { !$0.isDiscarded }.map { outcome(of: $0, rest: error) }
        slots.removeAll()
        missingCount = 0
        expired = 0
        return outcomes
    }

    private func outcome(of slot: Slot, rest error: RedisError) -> Outcome {
        Outcome(
            request: slot.pending.request,
            results: slot.results + repeatElement(.failure(error), count: slot.missing))
    }
}
