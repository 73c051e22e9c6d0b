public import Dramatiq
import Synchronization

/// What it came to that a run was to be paused or cancelled.
public struct RunStop: Sendable, Hashable {
    /// The run's state.
    public let state: RunState
    /// The workers that were heard a short while ago and have not confirmed in time that they know. What they do is not
    /// known: they may be cut off, suspended or gone. Empty if all have.
    public let unconfirmedWorkers: [String]

    public init(state: RunState, unconfirmedWorkers: [String]) {
        self.state = state
        self.unconfirmedWorkers = unconfirmedWorkers
    }
}

extension WorkflowRun {
    /// For how long workers are waited for unless said otherwise: 10 seconds.
    public static let defaultConfirmationTimeout = Duration.seconds(10)

    /// Ends the run for good: what has not begun never does, and what runs is cancelled.
    ///
    /// From the moment of the return on no task of it starts: none that waits in a queue, in a worker's hands or for its
    /// time, no further attempt and no next step. Each is dropped when a worker meets it, and counts as skipped. Actors that
    /// run are cancelled, as Swift's tasks are: what one makes of that is up to it. If it throws, its task counts as skipped,
    /// without a retry or a dead letter; if it returns, as succeeded.
    ///
    /// Workers ask a few times a second. Python's workers don't: what they run goes to its end, and the next step is dropped
    /// by the first worker of ours that gets it.
    ///
    /// A run that has failed can be cancelled as well: what it has put aside is dropped. Its dead letters stay.
    ///
    /// - Parameter timeout: how long workers are waited for. Defaults to 10 seconds.
    /// - Returns: the run's state, which is another one than `RunState.cancelled` if it had succeeded before, and who has
    ///   not confirmed.
    /// - Throws: ``WorkflowError/Code/runUnknown``, ``WorkflowError/Code/runsNotKept``,
    ///   ``WorkflowError/Code/middlewareMissing``, `CancellationError` once it is cancelled and workers are waited for, or
    ///   what the backend throws.
    @discardableResult
    public func cancel(timeout: Duration = defaultConfirmationTimeout) async throws -> RunStop {
        let stop = try await stop(.cancel, timeout)
        broker.middleware(of: WorkflowMiddleware.self)?.removeContents(of: id)
        return stop
    }

    /// Keeps what has not begun from beginning, until ``resume(perSecond:)``.
    ///
    /// From the moment of the return on no task of the run starts; those that run go on. What a worker meets is put aside
    /// with the run, as it is: it uses up no retry, and the time counts for no age limit. It is kept for as long as the run's
    /// barriers are, which is at least as long as dead letters.
    ///
    /// - Parameter timeout: how long workers are waited for. Defaults to 10 seconds.
    /// - Returns: the run's state, which is another one than `RunState.paused` if it had ended before, and who has not
    ///   confirmed.
    /// - Throws: as ``cancel(timeout:)``.
    @discardableResult
    public func pause(timeout: Duration = defaultConfirmationTimeout) async throws -> RunStop {
        try await stop(.pause, timeout)
    }

    /// Lets the run go on after ``pause(timeout:)``: what was put aside goes back to its queues.
    ///
    /// If it is interrupted, do it again: what has gone back doesn't go back twice.
    ///
    /// - Parameter rate: how many messages go back in a second, so that a service which they need is not flooded. Defaults to
    ///   no limit.
    /// - Returns: how many have gone back. None if the run is not paused, or is paused again meanwhile.
    /// - Throws: as ``cancel(timeout:)``, or what the transport throws. `DecodeError` if a message can't be read here; it
    ///   stays where it is.
    @discardableResult
    public func resume(perSecond rate: Int? = nil) async throws -> Int {
        try await resume(pace: rate.map { Pace(perSecond: $0) })
    }

    /// Has a run go on that has failed: the tasks that have failed run again, with all their retries, and what was put aside
    /// goes back to its queues. Nothing that has succeeded runs again.
    ///
    /// The failed tasks are requeued from the dead letters; requeuing one of them in another way lets the run go on as well.
    /// One that was skipped is not among them, nor one that was removed there: what waits for it doesn't run. A run whose tasks
    /// have failed without failing the run (``WorkflowFailurePolicy/halt``) can be retried in the same way.
    ///
    /// If it is interrupted, do it again: nothing goes back twice.
    ///
    /// - Parameter rate: how many messages go back in a second, so that a service which they need is not flooded. Defaults to
    ///   no limit.
    /// - Returns: how many have gone back. None if the run has no failed tasks, or is cancelled or paused.
    /// - Throws: as ``resume(perSecond:)``. `OperationNotSupported` if the transport can't requeue dead letters.
    @discardableResult
    public func retryFailed(perSecond rate: Int? = nil) async throws -> Int {
        try await retryFailed(pace: rate.map { Pace(perSecond: $0) })
    }

    func retryFailed(pace: Pace?) async throws -> Int {
        guard let operations = broker.transport.operations else { throw OperationNotSupported("retryFailed") }
        let (store, _) = try broker.runStore
        // As it is before one of them fails again.
        var failures: [RunStatus.Failure] = []
        var position: String?
        repeat {
            let page = try await store.failures(of: id, from: position, limit: 1000)
            failures += page.failures
            position = page.next
        } while position != nil
        guard try await change(.retry).state == .running else { return 0 }
        let members = failures.filter { !$0.groups.isEmpty }
        if !members.isEmpty { try await store.takeBackFailures(of: members.map(\.messageID), in: id) }
        var count = 0
        // By the ids of their messages where the transport has no others.
        var others: [String: Set<TextKey>] = [:]
        for failure in failures {
            let queue = QueueName.canonical(failure.queueName)
            guard let id = failure.deadLetterID else {
                others[queue, default: []].insert(TextKey(failure.messageID))
                continue
            }
            do {
                try await operations.requeueDeadLetter(id, queue: queue, encoder: broker.encoder)
                count += 1
                try await pace?.wait(for: 1)
            } catch let error as BrokerError where error.code == .deadLetterNotFound {
                // Somebody else has seen to it.
            }
        }
        let decoder = broker.encoder
        for (queue, ids) in others {
            let requeued = try await operations.requeueDeadLetters(queue: queue, encoder: decoder) { letter in
                guard let party = try? letter.message(decoder: decoder).workflowTies?.party else { return false }
                return ids.contains(TextKey(party))
            }
            count += requeued
            try await pace?.wait(for: requeued)
        }
        return count + (try await returnHeld(pace))
    }

    func resume(pace: Pace?) async throws -> Int {
        guard try await change(.resume).state == .running else { return 0 }
        return try await returnHeld(pace)
    }

    private func change(_ transition: RunTransition) async throws -> RunChange {
        let (store, index) = try broker.runStore
        guard let change = try await store.change(id, transition, index: index) else {
            throw WorkflowError.runUnknown(id)
        }
        return change
    }

    /// Returns what was put aside to its queues, while the run is under way.
    @discardableResult
    func returnHeld(_ pace: Pace?) async throws -> Int {
        let (store, index) = try broker.runStore
        var count = 0
        while true {
            let page = try await store.heldMessages(of: id, limit: pace?.limit ?? Self.pageSize)
            if page.isEmpty { break }
            let commit = Commit(
                successors: Envelopes(try page.map { try $0.envelope(broker.encoder) }),
                state: StateCommit(store: try stateStore, run: RunStep(id: id, index: index, returned: page)))
            // Otherwise somebody else returns them as well, or has stopped the run again.
            if try await broker.pipeline.commit(commit).status == .committed {
                count += page.count
                try await pace?.wait(for: page.count)
            } else if try await status(listing: 0).run.state != .running {
                break
            }
        }
        return count
    }

    /// How many messages go back in one step.
    private static let pageSize = 200

    private var stateStore: any StateStore {
        get throws(WorkflowError) {
            guard let middleware = broker.middleware(of: WorkflowMiddleware.self) else { throw .middlewareMissing }
            return middleware.backend
        }
    }

    /// Cancels the run, if it is under way and somebody is told when it ends, together with that.
    private func cancelWithCallbacks() async throws {
        let (store, index) = try broker.runStore
        guard let middleware = broker.middleware(of: WorkflowMiddleware.self) else { return }
        let callbacks = try await store.callbacks(of: id, group: nil)
        while !callbacks.messages(for: .cancelled).isEmpty,
            let status = try await store.run(id, index: index, limit: RunReport.maxFailures), !status.run.state.isEnded
        {
            var envelopes: [Envelope] = []
            for message in try middleware.messages(callbacks, RunReport(status, .cancelled, failing: nil)) {
                envelopes.append(try await broker.envelope(message, delay: nil))
            }
            var step = RunStep(id: id, index: index)
            step.cancels = true
            let commit = Commit(
                successors: Envelopes(envelopes), state: StateCommit(store: middleware.backend, run: step))
            // Otherwise it has ended meanwhile, or somebody else has cancelled it.
            if try await broker.pipeline.commit(commit).status == .committed { return }
        }
    }

    private func stop(_ transition: RunTransition, _ timeout: Duration) async throws -> RunStop {
        if transition == .cancel { try await cancelWithCallbacks() }
        let change = try await change(transition)
        let state = transition.target
        guard change.state == state else { return RunStop(state: change.state, unconfirmedWorkers: []) }
        let (store, index) = try broker.runStore
        let deadline = ContinuousClock.now + timeout
        while true {
            let late = try await store.versions(index: index).filter { $0.value < change.version }.keys.sorted()
            if late.isEmpty || ContinuousClock.now >= deadline {
                return RunStop(state: state, unconfirmedWorkers: late)
            }
            try await Task.sleep(for: .milliseconds(20))
        }
    }
}

/// At which rate messages go back.
final class Pace: Sendable {
    let perSecond: Int
    private let next = Mutex(ContinuousClock.now)

    init(perSecond: Int) {
        self.perSecond = max(1, perSecond)
    }

    /// How many go at once.
    var limit: Int { max(1, perSecond / 10) }

    /// Waits for as long as messages take that have gone.
    ///
    /// - Throws: `CancellationError`.
    func wait(for count: Int) async throws {
        let time = Duration.seconds(1) * count / perSecond
        let end = next.withLock { next in
            next = max(next, .now) + time
            return next
        }
        try await Task.sleep(until: end, clock: .continuous)
    }
}

extension HeldMessage {
    /// The message as it goes back to its queue, in the format in which it was. It is as old as when it was put aside.
    ///
    /// - Throws: `DecodeError` if the encoder can't read it.
    func envelope(_ encoder: any MessageEncoder, now: Int = SystemClock.milliseconds()) throws -> Envelope {
        var message = try payload.message(decoder: encoder)
        message.queueName = QueueName.canonical(queueName)
        message.options["eta"] = nil
        message.messageTimestamp = message.messageTimestamp.later(by: max(0, now - since))
        guard case .bytes(let bytes) = payload else { return Envelope(message, encoder: encoder) }
        return Envelope(message, encoder: SameFormat(base: encoder, bytes: bytes))
    }
}

/// Writes messages in the format of others.
private struct SameFormat: MessageEncoder {
    let base: any MessageEncoder
    let bytes: [UInt8]

    func encode(_ message: Message) throws -> [UInt8] { try base.encode(message, replacing: bytes) }
    func encode(_ message: Message, replacing bytes: [UInt8]) throws -> [UInt8] {
        try base.encode(message, replacing: bytes)
    }
    func decode(_ bytes: [UInt8]) throws -> Message { try base.decode(bytes) }
}
