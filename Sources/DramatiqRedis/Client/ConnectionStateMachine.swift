package import NIOCore

/// One logical connection to a server: makes it when somebody needs it, pairs answers with requests, makes it again
/// when it is lost. Takes events and says what is to be done; does nothing itself.
///
///     idle ─▶ connecting ─▶ handshaking ─▶ ready ─▶ draining
///       ▲         │ ▲            │           │          │
///       └─────────▼─┴────────────▼───────────▼──────────┘
///              backing off                                   (closed from anywhere)
package struct ConnectionStateMachine<Request>: ~Copyable {
    package typealias Outcome = RequestOutcome<Request>

    package struct Settings: Sendable {
        package var commandTimeout = TimeAmount.seconds(15)
        package var minBackoff = TimeAmount.milliseconds(50)
        package var maxBackoff = TimeAmount.seconds(2)
        /// Whether giving up a request closes the connection, since the server would keep it waiting.
        package var isBlocking: Bool
        /// After what time without a request the connection is closed.
        package var idleTimeout: TimeAmount?

        package init(isBlocking: Bool = false, idleTimeout: TimeAmount? = nil) {
            self.isBlocking = isBlocking
            self.idleTimeout = idleTimeout
        }
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
    private var idleTimeout: TimeAmount?
    private let handshake: Handshake
    private var state = State.idle
    /// The requests that were not sent yet.
    private var waiting = WaitingQueue<Request>()
    private var replies = ReplyQueue<Request>()
    private var isWritable = true
    /// What the handshake came to.
    private var speaksNewProtocol = true
    /// Whether something was answered after the handshake.
    private var hasAnswered = false
    /// Whether to stay connected while there is nothing to send.
    private var isWanted = false
    /// The attempts that failed, and the connections that were lost before they answered any command.
    private var failures = 0
    private var lastReceived = NIODeadline.uptimeNanoseconds(0)
    private var lastUsed = NIODeadline.uptimeNanoseconds(0)

    package init(settings: Settings, handshake: Handshake) {
        self.settings = settings
        idleTimeout = settings.idleTimeout
        self.handshake = handshake
    }

    /// How many commands wait to be sent or answered.
    package var commandCount: Int { waiting.commandCount + replies.missingCount }

    /// Whether commands can be sent at once.
    package var isReady: Bool { if case .ready = state { true } else { false } }

    // MARK: Requests

    package enum Submission {
        /// Send it now.
        case send
        /// It waits.
        case wait
        /// It waits; make a connection.
        case connect
        case refuse(RedisError)
    }

    /// A request came.
    package mutating func submit(_ pending: PendingRequest<Request>, now: NIODeadline) -> Submission {
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

    package enum Cancellation {
        case none
        /// Close the connection: its server would go on waiting.
        case close
    }

    /// Nobody waits for a request any longer. If it was sent, its place among the answers stays.
    package mutating func cancel(id: UInt64) -> Cancellation {
        if replies.discard(id: id) { return settings.isBlocking ? .close : .none }
        waiting.cancel(id: id)
        return .none
    }

    /// The requests that can be sent now, and count as sent.
    package mutating func takeSendable(now: NIODeadline) -> [Request] {
        guard isReady, isWritable, !waiting.isEmpty else { return [] }
        lastUsed = now
        return waiting.removeAll().map { pending in
            replies.append(pending, now: now)
            return pending.request
        }
    }

    /// The channel takes more bytes, or should get no more for now.
    package mutating func writabilityChanged(_ isWritable: Bool) {
        self.isWritable = isWritable
    }

    // MARK: Connecting

    package enum Demand {
        case none
        case connect
    }

    /// From now on the connection is made without being asked for, and made again when it is lost.
    package mutating func stayConnected() -> Demand {
        isWanted = true
        guard case .idle = state else { return .none }
        state = .connecting
        return .connect
    }

    /// From now on there is only a connection while somebody needs it, and for a moment longer.
    package mutating func release() {
        isWanted = false
        idleTimeout = min(idleTimeout ?? .seconds(1), .seconds(1))
    }

    /// Whether a server was reached that has not said anything yet.
    package var awaitsGreeting: Bool {
        if case .handshaking(let handshake) = state { handshake.awaitsGreeting } else { false }
    }

    /// There is a channel. Returns the first command of the handshake, or `nil` if the channel is not needed any more.
    package mutating func connected(now: NIODeadline) -> RedisCommand? {
        guard case .connecting = state else { return nil }
        state = .handshaking(handshake)
        isWritable = true
        lastReceived = now
        lastUsed = now
        return handshake.start()
    }

    /// What becomes of the requests when there is no connection, and when to try again.
    package struct Loss {
        package var failed: [Outcome] = []
        /// Make a connection after this pause.
        package var reconnectAfter: TimeAmount?
    }

    /// The connection is gone, or none could be made. After one that was ready, requests that were not sent wait for
    /// the next one.
    ///
    /// - Parameter jitter: a random number from 0 to 1.
    package mutating func disconnected(_ error: RedisError, jitter: Double) -> Loss {
        switch state {
        case .idle, .backingOff, .closed: return Loss()
        case .connecting, .handshaking: return connectFailed(error, jitter: jitter)
        case .ready, .draining: break
        }
        return afterLoss(replies.removeAll(error), pause: failures == 0 ? .zero : backoff(jitter), isFailure: true)
    }

    /// The connection was closed for a reason of our own, which is no failure of the server.
    package mutating func closed(_ error: RedisError) -> Loss {
        switch state {
        case .ready, .draining: afterLoss(replies.removeAll(error), pause: .zero, isFailure: false)
        case .idle, .connecting, .handshaking, .backingOff, .closed: Loss()
        }
    }

    private mutating func afterLoss(_ failed: [Outcome], pause: TimeAmount, isFailure: Bool) -> Loss {
        if failures == 0 || !isFailure, waiting.isEmpty, !isWanted {
            state = .idle
            return Loss(failed: failed)
        }
        state = .backingOff
        if isFailure { failures += 1 }
        return Loss(failed: failed, reconnectAfter: pause)
    }

    /// An attempt to connect failed: those that waited for it are told so.
    private mutating func connectFailed(_ error: RedisError, jitter: Double) -> Loss {
        failures += 1
        let failed = removeWaiting(error.code == .connectionClosed ? .connectionFailed(error) : error)
        state = .backingOff
        return Loss(failed: failed, reconnectAfter: backoff(jitter))
    }

    /// The pause before the next attempt is over.
    package mutating func backoffElapsed() -> Demand {
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
        let doubled = Double(settings.minBackoff.nanoseconds) * Double(1 << min(max(failures - 1, 0), 30))
        let full = min(doubled, Double(settings.maxBackoff.nanoseconds))
        return .nanoseconds(Int64(full * (0.5 + jitter / 2)))
    }

    // MARK: Answers

    package enum Reception {
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
    package mutating func receive(_ frame: RESPFrame) -> Reception {
        guard case .reply(let value) = frame else { return receivePush() }
        switch state {
        case .handshaking(var handshake):
            let action = handshake.receive(value)
            switch action {
            case .send(let command):
                state = .handshaking(handshake)
                return .send(command)
            case .ready:
                state = .ready
                speaksNewProtocol = handshake.speaksNewProtocol
                hasAnswered = false
                return .ready
            case .fail(let error): return .close(error)
            }
        case .ready, .draining: return receiveAnswer(value)
        case .idle, .connecting, .backingOff, .closed: return .none
        }
    }

    /// What is out of band answers nothing, but a server only sends it once both speak RESP3.
    private func receivePush() -> Reception {
        switch state {
        case .handshaking: .close(Handshake.unasked)
        case .ready, .draining: speaksNewProtocol ? .none : .close(Handshake.unasked)
        case .idle, .connecting, .backingOff, .closed: .none
        }
    }

    /// Whether a value shows that the answers don't belong to the questions: what came in the place of the greeting was
    /// none, and here it comes itself, or anything else that is of the new protocol.
    private func isShifted(_ value: RESPValue) -> Bool {
        guard speaksNewProtocol else { return value.isOfNewProtocol }
        return !hasAnswered && Handshake.isGreeting(value)
    }

    private mutating func receiveAnswer(_ value: RESPValue) -> Reception {
        if isShifted(value) { return .close(Handshake.unasked) }
        hasAnswered = true
        failures = 0
        var result = Result<RESPValue, RedisError>.success(value)
        if case .error(let error) = value {
            result = .failure(error)
            // After a failover the old master is a replica: the address may lead to the new one by now.
            if error.isServerError("READONLY") { state = .draining }
        }
        switch replies.receive(result) {
        case .unasked:
            return .close(Handshake.unasked)
        case .kept:
            return .none
        case .completed(let outcome):
            return .complete(outcome)
        }
    }

    /// Whether the connection is to be closed since nothing more comes that anybody needs.
    package var isDrained: Bool {
        guard case .draining = state else { return false }
        return replies.isEmpty
    }

    /// Bytes came.
    package mutating func received(now: NIODeadline) {
        lastReceived = now
    }

    // MARK: Time

    /// What is to be done when ``nextDeadline`` has come.
    package struct Expiry {
        package var failed: [Outcome] = []
        /// Close the connection, and report that to ``disconnected(_:jitter:)``.
        package var close: Reason?

        package enum Reason {
            /// The server owes answers and says nothing.
            case silent
            /// A command that blocks has taken longer than it may.
            case blocked
            /// Nobody needed it for a while.
            case unused
        }
    }

    /// When ``expire(now:)`` has something to do.
    package var nextDeadline: NIODeadline? {
        let distant = NIODeadline.distantFuture
        let next = min(
            waiting.nextDeadline ?? distant, replies.nextDeadline ?? distant, silenceDeadline ?? distant,
            idleDeadline ?? distant)
        return next == distant ? nil : next
    }

    /// When a server that owes answers and says nothing is given up.
    private var silenceDeadline: NIODeadline? {
        guard !settings.isBlocking, let sentAt = replies.oldestSentAt else { return nil }
        return max(sentAt, lastReceived) + settings.commandTimeout * 2
    }

    private var idleDeadline: NIODeadline? {
        guard let idleTimeout, isReady, replies.isEmpty else { return nil }
        return lastUsed + idleTimeout
    }

    package mutating func expire(now: NIODeadline) -> Expiry {
        var expiry = Expiry()
        expiry.failed = waiting.expire(now: now).map {
            $0.failure(RedisError(.commandTimeout, "The command was not sent in time"))
        }
        expiry.failed += replies.expire(
            now: now,
            RedisError(.commandTimeout, "The server did not answer in time", mayHaveTakenEffect: true))
        if let silenceDeadline, silenceDeadline <= now {
            expiry.close = .silent
        } else if settings.isBlocking, !expiry.failed.isEmpty, !replies.isEmpty {
            expiry.close = .blocked
        } else if let idleDeadline, idleDeadline <= now {
            expiry.close = .unused
        }
        return expiry
    }

    // MARK: Ending

    /// The client is shut down: everything ends.
    package mutating func close() -> [Outcome] {
        state = .closed
        isWanted = false
        let lost = RedisError(.clientClosed, "The Redis client was shut down", mayHaveTakenEffect: true)
        return replies.removeAll(lost) + removeWaiting(Self.clientClosed)
    }

    private mutating func removeWaiting(_ error: RedisError) -> [Outcome] {
        waiting.removeAll().map { $0.failure(error) }
    }

    private static var clientClosed: RedisError { RedisError(.clientClosed, "The Redis client was shut down") }
}
