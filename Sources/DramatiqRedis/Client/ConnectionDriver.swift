import Logging
import NIOCore

/// Does what a ``ConnectionStateMachine`` says, on one event loop.
final class ConnectionDriver {
    private let connector: ChannelConnector
    private let eventLoop: any EventLoop
    private let logger: Logger
    private let pendingCount: PendingCount
    /// What of ``pendingCount`` is from here.
    private var countedCommands = 0
    /// Whether a loss was logged and nothing better since.
    private var isOutage = false
    private var machine: ConnectionStateMachine<RedisRequest>
    private var channel: (any Channel)?
    /// Counts the channels, so that one that was given up can be told from the current one.
    private var attempt = 0
    private var connectTimeout: Scheduled<Void>?
    private var wakeup: Scheduled<Void>?
    private var wakeupDeadline = NIODeadline.distantFuture
    /// The commands to be written at the end of this turn.
    private var outgoing = ByteBuffer()
    /// The commands that are being written.
    private var written = ByteBuffer()
    private var isFlushing = false
    /// The scripts that the server knows, kept so that no other can take an identifier's place.
    private var knownScripts: [ObjectIdentifier: RedisScript] = [:]

    init(
        connector: ChannelConnector,
        isBlocking: Bool,
        pendingCount: PendingCount,
        eventLoop: any EventLoop,
        logger: Logger
    ) {
        self.connector = connector
        self.pendingCount = pendingCount
        self.eventLoop = eventLoop
        self.logger = logger
        let configuration = connector.configuration
        var settings = ConnectionStateMachine<RedisRequest>.Settings(
            isBlocking: isBlocking,
            idleTimeout: isBlocking ? TimeAmount(configuration.blockingIdleTimeout) : nil)
        settings.commandTimeout = TimeAmount(configuration.commandTimeout)
        settings.minBackoff = TimeAmount(configuration.minBackoff)
        settings.maxBackoff = TimeAmount(configuration.maxBackoff)
        machine = ConnectionStateMachine(settings: settings, handshake: Handshake(configuration))
    }

    // MARK: From the tasks

    /// Takes what came. The cancelled ones first: their connection may have to be closed before others use it.
    func handle(requests: [PendingRequest<RedisRequest>], cancelled: [UInt64]) {
        for id in cancelled {
            if case .close = machine.cancel(id: id) { giveUp("Its command was cancelled") }
        }
        let now = NIODeadline.now()
        for pending in requests {
            countedCommands += pending.commandCount
            guard pending.request.isWaitedFor else { continue }
            switch machine.submit(pending, now: now) {
            case .send: encode(pending.request)
            case .wait: break
            case .connect: connect()
            case .refuse(let error): pending.request.fail(error)
            }
        }
        endTurn()
    }

    /// Writes what was encoded, and sees to what follows from all that happened.
    private func endTurn() {
        flush()
        updateCount()
        scheduleWakeup()
    }

    /// Tells how many commands wait. Before those who waited go on: what they bring next must find their places free.
    private func updateCount() {
        let commandCount = machine.commandCount
        pendingCount.change(by: commandCount - countedCommands)
        countedCommands = commandCount
    }

    private func finish(_ outcomes: [RequestOutcome<RedisRequest>]) {
        updateCount()
        for outcome in outcomes { outcome.request.finish(outcome.results) }
    }

    func stayConnected() {
        if case .connect = machine.stayConnected() { connect() }
    }

    func release() {
        machine.release()
        endTurn()
    }

    /// Ends for good. The future is done when the channel is closed.
    @discardableResult
    func close() -> EventLoopFuture<Void> {
        let outcomes = machine.close()
        let closed = detach()
        finish(outcomes)
        wakeup?.cancel()
        endTurn()
        return closed
    }

    // MARK: Connecting

    private func connect() {
        attempt += 1
        let attempt = self.attempt
        connectTimeout = eventLoop.assumeIsolated().scheduleTask(
            in: TimeAmount(connector.configuration.connectTimeout)
        ) {
            self.lost(.connectTimeout(self.connector.configuration.address), attempt: attempt)
        }
        connector.connect(self, attempt: attempt, on: eventLoop).assumeIsolated().whenFailure { error in
            self.lost(.connecting(error, to: self.connector.configuration.address), attempt: attempt)
        }
    }

    /// A channel is open.
    func connected(_ channel: any Channel, attempt: Int) {
        guard attempt == self.attempt, self.channel == nil, let command = machine.connected(now: .now()) else {
            if self.channel !== channel { channel.close(promise: nil) }
            return
        }
        self.channel = channel
        encode(command)
        flush()
    }

    /// The channel of an attempt failed or is closed.
    func lost(_ error: RedisError, attempt: Int) {
        guard attempt == self.attempt else { return }
        lost(error)
    }

    /// The channel is lost. If the server has never said anything, it may be that only one side encrypts, which is asked
    /// once for each outage.
    private func lost(_ error: RedisError) {
        guard !isOutage, machine.awaitsGreeting, channel != nil, PortProbe.canExplain(error) else {
            return report(error)
        }
        detach()
        PortProbe.explain(error, connector.configuration, on: eventLoop).assumeIsolated().whenSuccess { error in
            self.report(error)
        }
    }

    private func report(_ error: RedisError) {
        let loss = machine.disconnected(error, jitter: .random(in: 0...1))
        detach()
        if loss.reconnectAfter != nil || !loss.failed.isEmpty { logLoss(error) }
        end(loss)
    }

    /// Closes the connection for a reason of our own.
    private func giveUp(_ reason: String) {
        let loss = machine.closed(RedisError(.connectionClosed, reason, mayHaveTakenEffect: true))
        detach()
        end(loss)
    }

    private func end(_ loss: ConnectionStateMachine<RedisRequest>.Loss) {
        if let pause = loss.reconnectAfter {
            eventLoop.assumeIsolated().scheduleTask(in: pause) {
                if case .connect = self.machine.backoffElapsed() { self.connect() }
            }
        }
        finish(loss.failed)
        endTurn()
    }

    /// Says once for each outage that there is one; a server that refuses this client has none.
    private func logLoss(_ error: RedisError) {
        logger.log(
            level: isOutage ? .debug : error.logLevel,
            error.isTransient ? "No connection to Redis" : "Redis can't be used as it is set up here",
            metadata: ["redis.address": "\(connector.configuration.address)", "error": "\(error)"])
        isOutage = true
    }

    /// Forgets the channel, which closes.
    @discardableResult
    private func detach() -> EventLoopFuture<Void> {
        attempt += 1
        connectTimeout?.cancel()
        connectTimeout = nil
        outgoing.clear()
        knownScripts = [:]
        guard let channel else { return eventLoop.makeSucceededVoidFuture() }
        self.channel = nil
        channel.close(promise: nil)
        return channel.closeFuture
    }

    // MARK: From the channel

    /// Whether somebody listens to the channel of an attempt.
    func isCurrent(_ attempt: Int) -> Bool { attempt == self.attempt }

    func received(_ frame: RESPFrame, attempt: Int) {
        guard attempt == self.attempt else { return }
        switch machine.receive(frame) {
        case .none: break
        case .complete(let outcome):
            updateCount()
            outcome.request.finish(outcome.results)
        case .send(let command): encode(command)
        case .ready:
            connectTimeout?.cancel()
            connectTimeout = nil
            if isOutage {
                logger.info("Connected to Redis again")
                isOutage = false
            }
        // What waits is sent when all that came is read: nothing of it can be an answer.
        case .close(let error): lost(error)
        }
        if machine.isDrained { giveUp("The server is a replica") }
    }

    func readCompleted(attempt: Int) {
        guard attempt == self.attempt else { return }
        machine.received(now: .now())
        sendWaiting()
        endTurn()
    }

    func writabilityChanged(_ isWritable: Bool, attempt: Int) {
        guard attempt == self.attempt else { return }
        machine.writabilityChanged(isWritable)
        sendWaiting()
        endTurn()
    }

    // MARK: Writing

    private func sendWaiting() {
        for request in machine.takeSendable(now: .now()) { encode(request) }
    }

    private func encode(_ request: RedisRequest) {
        for command in request.commands { encode(command, sendsSource: request.sendsSources) }
    }

    private func encode(_ command: RedisCommand, sendsSource: Bool = false) {
        guard let script = command.script else {
            outgoing.writeArgumentCount(command.argumentCount)
            outgoing.writeBytes(command.body)
            return
        }
        let isKnown = knownScripts.updateValue(script, forKey: ObjectIdentifier(script)) != nil
        outgoing.writeArgumentCount(command.argumentCount + 2)
        outgoing.writeBytes(isKnown && !sendsSource ? script.evaluateByDigest : script.evaluateBySource)
        outgoing.writeBytes(command.body)
    }

    private func flush() {
        // Writing may change the channel's writability or end it, and that leads here again.
        guard !isFlushing else { return }
        isFlushing = true
        while outgoing.readableBytes > 0, let channel {
            swap(&outgoing, &written)
            channel.writeAndFlush(written, promise: nil)
            // The storage is used again unless it is large.
            if written.capacity > 1 << 20 { written = ByteBuffer() } else { written.clear() }
        }
        isFlushing = false
    }

    // MARK: Time

    private func scheduleWakeup() {
        guard let deadline = machine.nextDeadline, deadline < wakeupDeadline else { return }
        wakeup?.cancel()
        wakeupDeadline = deadline
        wakeup = eventLoop.assumeIsolated().scheduleTask(deadline: deadline) {
            self.wakeupDeadline = .distantFuture
            self.wakeup = nil
            let expiry = self.machine.expire(now: .now())
            self.finish(expiry.failed)
            switch expiry.close {
            case .silent:
                self.logLoss(.silent)
                self.lost(.silent)
            case .unused: self.giveUp("It was not used")
            case .blocked: self.giveUp("Its command took too long")
            case nil: break
            }
            self.endTurn()
        }
    }
}

extension RedisError {
    fileprivate static var silent: RedisError {
        RedisError(
            .connectionClosed, "The server owed answers and was silent for too long", mayHaveTakenEffect: true)
    }
}

extension ByteBuffer {
    /// Begins a command.
    fileprivate mutating func writeArgumentCount(_ count: Int) {
        if count < 10 {
            let digit = UInt8(ascii: "0") + UInt8(count)
            writeMultipleIntegers(UInt8(ascii: "*"), digit, UInt8(ascii: "\r"), UInt8(ascii: "\n"))
        } else {
            writeString("*\(count)\r\n")
        }
    }
}
