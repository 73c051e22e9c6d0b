import Dramatiq
import Synchronization

/// Notes what happens in a ``TestEnvironment``, and has actors fail and be slow.
final class AttemptRecord: ProcessingMiddleware, AttemptObserver, AfterEnqueue, AfterAck, AfterNack, AfterRequeue {
    enum Fault: Sendable {
        case fail(any Error)
        case delay(Duration)

        var isDelay: Bool { if case .delay = self { true } else { false } }
    }

    /// A fault, and how often it is still to come.
    fileprivate struct Planned {
        let fault: Fault
        var times: Int
    }

    fileprivate struct Running {
        let actorName: String
        let deadline: TestClock.Instant?
    }

    fileprivate struct Unsettled {
        /// How many there are: there may be copies of a message.
        var count = 0
        /// When the actor of the latest one began and ended.
        var began: TestClock.Instant?
        var ended: TestClock.Instant?
    }

    fileprivate struct Contents {
        var enqueued: [EnqueuedMessage] = []
        var attempts: [TaskAttempt] = []
        var faults: [String: [Planned]] = [:]
        var running: [Int: Running] = [:]
        /// Attempts that have begun and whose end the transport has not confirmed, by message.
        var unsettled: [TextKey: Unsettled] = [:]
        var nextAttempt = 0
        var changes = 0
    }

    /// What is under way.
    struct State {
        let running: Set<Int>
        /// Whether there is an attempt that doesn't run, and whose end is not confirmed yet.
        let isSettling: Bool
        /// The first time limit of those that run.
        let nextDeadline: TestClock.Instant?
        /// Grows whenever something begins or ends.
        let changes: Int
    }

    private let contents = Mutex(Contents())
    private let clock: TestClock

    init(_ clock: TestClock) {
        self.clock = clock
    }

    var enqueued: [EnqueuedMessage] { contents.withLock(\.enqueued) }
    var attempts: [TaskAttempt] { contents.withLock(\.attempts) }
    var running: [String] { contents.withLock { $0.running.values.map(\.actorName).sorted() } }

    var state: State {
        contents.withLock { contents in
            State(
                running: Set(contents.running.keys),
                isSettling: contents.unsettled.values.reduce(0) { $0 + $1.count } > contents.running.count,
                nextDeadline: contents.running.values.lazy.compactMap(\.deadline).min(), changes: contents.changes)
        }
    }

    func add(_ fault: Fault, to actor: String, times: Int) {
        if times <= 0 { return }
        contents.withLock { $0.faults[actor, default: []].append(Planned(fault: fault, times: times)) }
    }

    func process(
        _ context: MessageContext,
        next: (Message) async throws -> ActorResult
    ) async throws -> ActorResult {
        let message = context.message
        let deadline = context.deadline.map { clock.instant(Moment($0)) }
        let (attempt, faults) = contents.withLock { contents -> (Int, [Fault]) in
            contents.changes += 1
            contents.nextAttempt += 1
            contents.running[contents.nextAttempt] = Running(actorName: message.actorName, deadline: deadline)
            contents.unsettled[TextKey(message.messageID)]?.began = clock.now
            return (contents.nextAttempt, contents.takeFaults(message.actorName))
        }
        defer {
            contents.withLock { contents in
                contents.changes += 1
                contents.running[attempt] = nil
                contents.unsettled[TextKey(message.messageID)]?.ended = clock.now
            }
        }
        return try await TestClock.$attempt.withValue(attempt) {
            for fault in faults {
                switch fault {
                case .fail(let error): throw error
                case .delay(let duration): try await clock.sleep(for: duration)
                }
            }
            return try await next(message)
        }
    }

    func attemptWatch() -> any AttemptWatch { Watch(record: self) }

    private struct Watch: AttemptWatch {
        let record: AttemptRecord

        func attemptWillBegin(_ context: MessageContext) {
            record.contents.withLock { contents in
                contents.changes += 1
                contents.unsettled[TextKey(context.message.messageID), default: Unsettled()].count += 1
            }
        }

        func attemptDidEnd(_ context: MessageContext) {}
    }

    func afterEnqueue(_ message: Message, delay: Duration?) {
        contents.withLock { contents in
            contents.changes += 1
            contents.enqueued.append(EnqueuedMessage(message: message, delay: delay, time: clock.now))
        }
    }

    func afterAck(_ context: MessageContext) {
        add(context, context.isSkipped ? .skipped : context.isRetried ? .retried : .succeeded)
    }

    func afterNack(_ context: MessageContext) { add(context, .failed) }
    func afterRequeue(_ context: MessageContext) { add(context, .returned) }

    private func add(_ context: MessageContext, _ outcome: TaskAttempt.Outcome) {
        let message = context.message
        contents.withLock { contents in
            contents.changes += 1
            let attempt = contents.unsettled[TextKey(message.messageID)]
            contents.settle(TextKey(message.messageID))
            contents.attempts.append(
                TaskAttempt(
                    message: message, outcome: outcome, error: context.error, reason: context.failureReason,
                    began: attempt?.began, ended: attempt?.ended ?? clock.now))
        }
    }
}

extension AttemptRecord.Contents {
    fileprivate mutating func settle(_ message: TextKey) {
        guard var attempt = unsettled[message] else { return }
        attempt.count -= 1
        unsettled[message] = attempt.count > 0 ? attempt : nil
    }

    /// One of each kind at most: a delay comes before a failure.
    fileprivate mutating func takeFaults(_ actor: String) -> [AttemptRecord.Fault] {
        guard var planned = faults[actor] else { return [] }
        var taken: [AttemptRecord.Fault] = []
        for isDelay in [true, false] {
            guard let place = planned.firstIndex(where: { $0.fault.isDelay == isDelay }) else { continue }
            taken.append(planned[place].fault)
            planned[place].times -= 1
            if planned[place].times == 0 { planned.remove(at: place) }
        }
        faults[actor] = planned
        return taken
    }
}
