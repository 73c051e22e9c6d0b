import Logging
import NIOCore

/// Does what a ``ConnectionStateMachine`` says, on one event loop.
final class ConnectionDriver {
    private let connector: ChannelConnector
    private let eventLoop: any EventLoop
    private let logger: Logger
    private var machine: ConnectionStateMachine<RedisRequest>
    private var channel: (any Channel)?
    /// Counts the channels, so that one that was given up can be told from the current one.
    private var attempt = 0
    private var connectTimeout: Scheduled<Void>?
    private var wakeup: Scheduled<Void>?
    private var wakeupDeadline = NIODeadline.distantFuture
    /// The commands to be written at the end of this turn.
    private var outgoing = ByteBuffer()
    /// The scripts that the server knows, kept so that no other can take an identifier's place.
    private var knownScripts: [ObjectIdentifier: RedisScript] = [:]

    init(connector: ChannelConnector, isBlocking: Bool, eventLoop: any EventLoop, logger: Logger) {
        self.connector = connector
        self.eventLoop = eventLoop
        self.logger = logger
        let configuration = connector.configuration
        machine = ConnectionStateMachine(
            settings: .init(
                commandTimeout: TimeAmount(configuration.commandTimeout),
                minimumBackoff: TimeAmount(configuration.minimumBackoff),
                maximumBackoff: TimeAmount(configuration.maximumBackoff),
                isBlocking: isBlocking,
                idleTimeout: isBlocking ? TimeAmount(configuration.blockingIdleTimeout) : nil),
            handshake: Handshake(configuration))
    }

    /// How many commands wait to be sent or answered.
    var commandCount: Int { machine.commandCount }

    // MARK: From the tasks

    func handle(_ requests: [PendingRequest<RedisRequest>], cancelled: [UInt64]) {
        let now = NIODeadline.now()
        for pending in requests where pending.request.isWaitedFor {
            switch machine.submit(pending, now: now) {
            case .send: encode(pending.request)
            case .wait: break
            case .connect: connect()
            case .refuse(let error): pending.request.fail(error)
            }
        }
        for id in cancelled {
            if case .close = machine.cancel(id: id) {
                lost(RedisError(.connectionClosed, "Its command was cancelled", mayHaveTakenEffect: true))
            }
        }
        flush()
        scheduleWakeup()
    }

    func stayConnected() {
        if case .connect = machine.stayConnected() { connect() }
    }

    /// Ends for good. The future is done when the channel is closed.
    @discardableResult
    func close() -> EventLoopFuture<Void> {
        let outcomes = machine.close()
        let closed = detach()
        for outcome in outcomes { outcome.request.finish(outcome.results) }
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

    private func lost(_ error: RedisError) {
        let loss = machine.disconnected(error, jitter: .random(in: 0...1))
        detach()
        if let pause = loss.reconnectAfter {
            logger.debug("Connection to Redis lost", metadata: ["error": "\(error)"])
            eventLoop.assumeIsolated().scheduleTask(in: pause) {
                if case .connect = self.machine.backoffElapsed() { self.connect() }
            }
        }
        for outcome in loss.failed { outcome.request.finish(outcome.results) }
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

    func received(_ frame: RESPFrame, attempt: Int) {
        guard attempt == self.attempt else { return }
        switch machine.receive(frame) {
        case .none: break
        case .complete(let outcome):
            outcome.request.finish(outcome.results)
            if machine.isDrained { lost(RedisError(.connectionClosed, "The server is a replica")) }
        case .send(let command): encode(command)
        case .ready:
            connectTimeout?.cancel()
            connectTimeout = nil
            sendWaiting()
        case .close(let error): lost(error)
        }
    }

    func readCompleted(attempt: Int) {
        guard attempt == self.attempt else { return }
        machine.received(now: .now())
        flush()
        scheduleWakeup()
    }

    func writabilityChanged(_ isWritable: Bool, attempt: Int) {
        guard attempt == self.attempt else { return }
        machine.writabilityChanged(isWritable)
        sendWaiting()
        flush()
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
            outgoing.writeCommand(argumentCount: command.argumentCount, command.body)
            return
        }
        let isKnown = knownScripts.updateValue(script, forKey: ObjectIdentifier(script)) != nil
        outgoing.writeCommand(
            argumentCount: command.argumentCount + 2,
            isKnown && !sendsSource ? script.evaluateByDigest : script.evaluateBySource, command.body)
    }

    private func flush() {
        guard outgoing.readableBytes > 0, let channel else { return }
        channel.writeAndFlush(outgoing, promise: nil)
        // The storage is used again unless the channel still needs it, or it is large.
        if outgoing.capacity > 1 << 20 { outgoing = ByteBuffer() } else { outgoing.clear() }
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
            for outcome in expiry.failed { outcome.request.finish(outcome.results) }
            if let error = expiry.close { self.lost(error) }
            self.scheduleWakeup()
        }
    }
}

extension RedisRequest {
    fileprivate func fail(_ error: RedisError) {
        finish(Array(repeating: .failure(error), count: commands.count))
    }
}

extension ByteBuffer {
    /// Adds a command: how many arguments it has, then they, encoded.
    fileprivate mutating func writeCommand(argumentCount: Int, _ arguments: [UInt8]...) {
        writeInteger(UInt8(ascii: "*"))
        writeString(String(argumentCount))
        writeStaticString("\r\n")
        for part in arguments { writeBytes(part) }
    }
}
