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
    /// - Parameter timeout: how long workers are waited for. Defaults to 10 seconds.
    /// - Returns: the run's state, which is another one than ``RunState/cancelled`` if it had ended before, and who has not
    ///   confirmed.
    /// - Throws: ``WorkflowError/Code/runUnknown``, ``WorkflowError/Code/runsNotKept``,
    ///   ``WorkflowError/Code/middlewareMissing``, `CancellationError` once it is cancelled and workers are waited for, or
    ///   what the backend throws.
    @discardableResult
    public func cancel(timeout: Duration = defaultConfirmationTimeout) async throws -> RunStop {
        try await stop(.cancelled, timeout)
    }

    /// Keeps what has not begun from beginning, until ``resume(perSecond:)``.
    ///
    /// From the moment of the return on no task of the run starts; those that run go on. What a worker meets is put aside
    /// with the run, as it is: it uses up no retry, and the time counts for no age limit. It is kept for as long as the run's
    /// barriers are, which is at least as long as dead letters.
    ///
    /// - Parameter timeout: how long workers are waited for. Defaults to 10 seconds.
    /// - Returns: the run's state, which is another one than ``RunState/paused`` if it had ended before, and who has not
    ///   confirmed.
    /// - Throws: as ``cancel(timeout:)``.
    @discardableResult
    public func pause(timeout: Duration = defaultConfirmationTimeout) async throws -> RunStop {
        try await stop(.paused, timeout)
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

    func resume(pace: Pace?) async throws -> Int {
        let (store, index) = try broker.runStore
        guard let change = try await store.change(id, to: .running, index: index) else {
            throw WorkflowError.runUnknown(id)
        }
        var count = 0
        while change.state == .running {
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

    private func stop(_ state: RunState, _ timeout: Duration) async throws -> RunStop {
        let (store, index) = try broker.runStore
        guard let change = try await store.change(id, to: state, index: index) else {
            throw WorkflowError.runUnknown(id)
        }
        guard change.state == state else { return RunStop(state: change.state, unconfirmedWorkers: []) }
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
