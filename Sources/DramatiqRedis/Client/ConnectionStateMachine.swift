import DequeModule
import NIOCore

/// One logical connection to a server: makes it when somebody needs it, pairs answers with requests, makes it again
/// when it is lost. Takes events and says what is to be done; does nothing itself.
///
///     idle ─▶ connecting ─▶ handshaking ─▶ ready ─▶ draining
///       ▲         │ ▲            │           │          │
///       └─────────▼─┴────────────▼───────────▼──────────┘
///              backing off                                   (closed from anywhere)
struct ConnectionStateMachine<Request>: ~Copyable {
    typealias Outcome = ReplyQueue<Request>.Outcome

    struct Settings: Sendable {
        var commandTimeout = TimeAmount.seconds(15)
        var minimumBackoff = TimeAmount.milliseconds(50)
        var maximumBackoff = TimeAmount.seconds(2)
        /// Whether giving up a request closes the connection, since the server would keep it waiting.
        var isBlocking = false
        /// After what time without a request the connection is closed.
        var idleTimeout: TimeAmount?
    }

    private enum State {
        /// There is no connection, and nobody needs one.
        case idle
        case connecting
        case handshaking(Handshake)
        case ready
        /// The server turned out to be the wrong one: what was sent gets its answers, then a new connection is made.
        case draining
        /// The last attempt failed; the next one comes after a pause.
        case backingOff
        case closed
    }

    private let settings: Settings
    private let handshake: Handshake
    private var state = State.idle
    /// The requests that were not sent yet.
    private var waiting: Deque<PendingRequest<Request>> = []
    private var replies = ReplyQueue<Request>()
    private var isWritable = true
    /// Whether to stay connected while there is nothing to send.
    private var isWanted = false
    /// The attempts that failed, and the connections that were lost before they answered any command.
    private var failures = 0
    private var lastReceived = NIODeadline.uptimeNanoseconds(0)
    private var lastUsed = NIODeadline.uptimeNanoseconds(0)

    init(settings: Settings, handshake: Handshake) {
        self.settings = settings
        self.handshake = handshake
    }

    /// How many commands wait to be sent or answered.
    var commandCount: Int { waiting.reduce(replies.missingCount) { $0 + $1.commandCount } }

    /// Whether commands can be sent at once.
    var isReady: Bool { if case .ready = state { true } else { false } }

    // MARK: Requests

    enum Submission {
        /// Send it now.
        case send
        /// It waits.
        case wait
        /// It waits; make a connection.
        case connect
        case refuse(RedisError)
    }

    /// A request came.
    mutating func submit(_ pending: PendingRequest<Request>, now: NIODeadline) -> Submission {
        switch state {
        case .ready where isWritable && waiting.isEmpty:
            lastUsed = now
            replies.append(pending, now: now)
            return .send
        case .ready, .connecting, .handshaking, .draining, .backingOff:
            waiting.append(pending)
            return .wait
        case .idle:
            waiting.append(pending)
            state = .connecting
            return .connect
        case .closed:
            return .refuse(Self.clientClosed)
        }
    }

    enum Cancellation {
        case none
        /// Close the connection: its server would go on waiting.
        case close
    }

    /// Nobody waits for a request any longer. If it was sent, its place among the answers stays.
    mutating func cancel(id: UInt64) -> Cancellation {
        if replies.discard(id: id) { return settings.isBlocking ? .close : .none }
        if let index = waiting.firstIndex(where: { $0.id == id }) { waiting.remove(at: index) }
        return .none
    }

    /// The requests that can be sent now, and count as sent.
    mutating func takeSendable(now: NIODeadline) -> [Request] {
        guard isReady, isWritable, !waiting.isEmpty else { return [] }
        lastUsed = now
        let requests = waiting.map { pending in
            replies.append(pending, now: now)
            return pending.request
        }
        waiting.removeAll()
        return requests
    }

    /// The channel takes more bytes, or should get no more for now.
    mutating func writabilityChanged(_ isWritable: Bool) {
        self.isWritable = isWritable
    }

    // MARK: Connecting

    enum Demand {
        case none
        case connect
    }

    /// From now on the connection is made without being asked for, and made again when it is lost.
    mutating func stayConnected() -> Demand {
        isWanted = true
        guard case .idle = state else { return .none }
        state = .connecting
        return .connect
    }

    /// There is a channel. Returns the first command of the handshake, or `nil` if the channel is not needed any more.
    mutating func connected(now: NIODeadline) -> RedisCommand? {
        guard case .connecting = state else { return nil }
        state = .handshaking(handshake)
        isWritable = true
        lastReceived = now
        lastUsed = now
        return handshake.start()
    }

    /// What becomes of the requests when there is no connection, and when to try again.
    struct Loss {
        var failed: [Outcome] = []
        /// Make a connection after this pause.
        var reconnectAfter: TimeAmount?
    }

    /// An attempt to connect failed: those that waited for it are told so.
    ///
    /// - Parameter jitter: a random number from 0 to 1.
    mutating func connectFailed(_ error: RedisError, jitter: Double) -> Loss {
        switch state {
        case .connecting, .handshaking: break
        case .idle, .ready, .draining, .backingOff, .closed: return Loss()
        }
        failures += 1
        let failed = removeWaiting(error)
        state = .backingOff
        return Loss(failed: failed, reconnectAfter: backoff(jitter))
    }

    /// The connection is gone. Requests that were not sent wait for the next one.
    mutating func disconnected(_ error: RedisError, jitter: Double) -> Loss {
        switch state {
        case .idle, .backingOff, .closed: return Loss()
        case .connecting, .handshaking: return connectFailed(error, jitter: jitter)
        case .ready, .draining: break
        }
        let failed = replies.removeAll(error)
        if failures == 0, waiting.isEmpty, !isWanted {
            state = .idle
            return Loss(failed: failed)
        }
        state = .backingOff
        let pause = failures == 0 ? .zero : backoff(jitter)
        failures += 1
        return Loss(failed: failed, reconnectAfter: pause)
    }

    /// The pause before the next attempt is over.
    mutating func backoffElapsed() -> Demand {
        guard case .backingOff = state else { return .none }
        guard isWanted || !waiting.isEmpty else {
            state = .idle
            return .none
        }
        state = .connecting
        return .connect
    }

    /// From half of the full pause up to all of it.
    private func backoff(_ jitter: Double) -> TimeAmount {
        let doubled = Double(settings.minimumBackoff.nanoseconds) * Double(1 << min(max(failures - 1, 0), 30))
        let full = min(doubled, Double(settings.maximumBackoff.nanoseconds))
        return .nanoseconds(Int64(full * (0.5 + jitter / 2)))
    }

    // MARK: Answers

    enum Reception {
        case none
        /// A request has all of its answers.
        case complete(Outcome)
        /// Send this as part of the handshake.
        case send(RedisCommand)
        /// The connection is ready: ``takeSendable(now:)``.
        case ready
        /// Close the connection and report this error to ``disconnected(_:jitter:)``.
        case close(RedisError)
    }

    /// A frame came.
    mutating func receive(_ frame: RESPFrame) -> Reception {
        guard case .reply(let value) = frame else { return .none }
        switch state {
        case .handshaking(var handshake):
            let action = handshake.receive(value)
            switch action {
            case .send(let command):
                state = .handshaking(handshake)
                return .send(command)
            case .ready:
                state = .ready
                return .ready
            case .fail(let error): return .close(error)
            }
        case .ready, .draining: return receiveAnswer(value)
        case .idle, .connecting, .backingOff, .closed: return .none
        }
    }

    private mutating func receiveAnswer(_ value: RESPValue) -> Reception {
        failures = 0
        var result = Result<RESPValue, RedisError>.success(value)
        if case .error(let error) = value {
            result = .failure(error)
            // After a failover the old master is a replica: the address may lead to the new one by now.
            if error.isServerError("READONLY") { state = .draining }
        }
        switch replies.receive(result) {
        case .unasked:
            return .close(RedisError(.malformedReply, "The server answered although nothing was asked"))
        case .kept:
            return isDrained ? .close(Self.drained) : .none
        case .completed(let outcome):
            return .complete(outcome)
        }
    }

    /// Whether the connection is to be closed since nothing more comes that anybody needs.
    var isDrained: Bool {
        guard case .draining = state else { return false }
        return replies.isEmpty
    }

    /// Bytes came.
    mutating func received(now: NIODeadline) {
        lastReceived = now
    }

    // MARK: Time

    /// What is to be done when ``nextDeadline`` has come.
    struct Expiry {
        var failed: [Outcome] = []
        /// Close the connection and report this error to ``disconnected(_:jitter:)``.
        var close: RedisError?
    }

    /// When ``expire(now:)`` has something to do.
    var nextDeadline: NIODeadline? {
        [waiting.first?.deadline, replies.nextDeadline, silenceDeadline, idleDeadline].compactMap(\.self).min()
    }

    /// When a server that owes answers and says nothing is given up.
    private var silenceDeadline: NIODeadline? {
        guard !settings.isBlocking, let sentAt = replies.oldestSentAt else { return nil }
        return max(sentAt, lastReceived) + settings.commandTimeout * 2
    }

    private var idleDeadline: NIODeadline? {
        guard let idleTimeout = settings.idleTimeout, isReady, replies.isEmpty else { return nil }
        return lastUsed + idleTimeout
    }

    mutating func expire(now: NIODeadline) -> Expiry {
        var expiry = Expiry()
        while let first = waiting.first, first.deadline <= now {
            waiting.removeFirst()
            let error = RedisError(.commandTimeout, "The command was not sent in time")
            expiry.failed.append(Self.failure(of: first, error))
        }
        expiry.failed += replies.expire(
            now: now,
            RedisError(.commandTimeout, "The server did not answer in time", mayHaveTakenEffect: true))
        if let silenceDeadline, silenceDeadline <= now {
            expiry.close = RedisError(
                .connectionClosed, "The server was silent for too long; its connection was given up",
                mayHaveTakenEffect: true)
        } else if settings.isBlocking, !expiry.failed.isEmpty, !replies.isEmpty {
            expiry.close = RedisError(.connectionClosed, "The connection was given up", mayHaveTakenEffect: true)
        } else if let idleDeadline, idleDeadline <= now {
            expiry.close = RedisError(.connectionClosed, "The connection was not used")
        }
        return expiry
    }

    // MARK: Ending

    /// The client is shut down: everything ends.
    mutating func close() -> [Outcome] {
        state = .closed
        isWanted = false
        let lost = RedisError(.clientClosed, "The Redis client was shut down", mayHaveTakenEffect: true)
        return replies.removeAll(lost) + removeWaiting(Self.clientClosed)
    }

    private mutating func removeWaiting(_ error: RedisError) -> [Outcome] {
        let outcomes = waiting.map { Self.failure(of: $0, error) }
        waiting.removeAll()
        return outcomes
    }

    private static func failure(of pending: PendingRequest<Request>, _ error: RedisError) -> Outcome {
        Outcome(request: pending.request, results: Array(repeating: .failure(error), count: pending.commandCount))
    }

    private static var clientClosed: RedisError { RedisError(.clientClosed, "The Redis client was shut down") }
    private static var drained: RedisError {
        RedisError(.connectionClosed, "The server became a replica", mayHaveTakenEffect: true)
    }
}
