import Logging
import NIOCore
import NIOPosix
import Synchronization

/// The connection to one server: made when a command needs it, made again after it was lost.
final class ServerConnection: Sendable {
    private struct State {
        var handler: EventLoopFuture<NIOLoopBound<ReplyHandler>>?
        /// Attempts that failed one after the other, and when the next one may be made.
        var failures = 0
        var nextAttempt = ContinuousClock.now
        var lastError: MemcachedError?
        /// Commands that have no answer yet.
        var pending = 0
        var isClosed = false
    }

    let address: MemcachedConfiguration.Address
    private let configuration: MemcachedConfiguration
    private let eventLoop: any EventLoop
    private let logger: Logger
    private let state = Mutex(State())

    init(
        _ address: MemcachedConfiguration.Address,
        _ configuration: MemcachedConfiguration,
        _ eventLoop: any EventLoop,
        _ logger: Logger
    ) {
        self.address = address
        self.configuration = configuration
        self.eventLoop = eventLoop
        self.logger = logger
    }

    /// Sends commands, whose answers come in their order.
    func send(_ commands: [MetaCommand]) -> [EventLoopFuture<MetaReply>] {
        let promises = commands.map { _ in eventLoop.makePromise(of: MetaReply.self) }
        do {
            let handler = try admit(commands.count)
            for promise in promises {
                promise.futureResult.whenComplete { _ in self.state.withLock { $0.pending -= 1 } }
            }
            handler.whenComplete { result in
                for (command, promise) in zip(commands, promises) {
                    switch result {
                    case .success(let handler): handler.value.send(command, promise)
                    case .failure(let error): promise.fail(error)
                    }
                }
            }
        } catch {
            for promise in promises { promise.fail(error) }
        }
        return promises.map(\.futureResult)
    }

    /// Lets more commands wait for the connection. Those that are sent together are let through together.
    private func admit(_ count: Int) throws(MemcachedError) -> EventLoopFuture<NIOLoopBound<ReplyHandler>> {
        try state.withLock { state throws(MemcachedError) in
            if state.isClosed { throw closed(mayHaveTakenEffect: false) }
            guard state.pending < max(1, configuration.maxPendingCommands) else {
                throw MemcachedError(
                    .queueFull, "\(state.pending) commands wait for their answers", server: "\(address)")
            }
            let handler: EventLoopFuture<NIOLoopBound<ReplyHandler>>
            if let known = state.handler {
                handler = known
            } else {
                // Between attempts a server that is gone costs no time.
                if let error = state.lastError, ContinuousClock.now < state.nextAttempt { throw error }
                handler = connect()
                state.handler = handler
            }
            state.pending += count
            return handler
        }
    }

    private func closed(mayHaveTakenEffect: Bool) -> MemcachedError {
        MemcachedError(
            .clientClosed, "The client was shut down", server: "\(address)", mayHaveTakenEffect: mayHaveTakenEffect)
    }

    private func connect() -> EventLoopFuture<NIOLoopBound<ReplyHandler>> {
        let bootstrap = ClientBootstrap(group: eventLoop)
            .connectTimeout(TimeAmount(bounded: configuration.connectTimeout))
            .channelInitializer { [address, configuration, weak self] channel in
                channel.eventLoop.makeCompletedFuture {
                    let handler = ReplyHandler(
                        server: "\(address)", timeout: TimeAmount(bounded: configuration.commandTimeout)
                    ) { [weak self] in self?.answered() }
                    try channel.pipeline.syncOperations.addHandler(handler)
                }
            }
        let channel =
            switch address.place {
            case .host(let name, let port):
                bootstrap.channelOption(.socketOption(.tcp_nodelay), value: 1).connect(host: name, port: port)
            case .unixSocket(let path): bootstrap.connect(unixDomainSocketPath: path)
            }
        let handler = inTime(channel).flatMapThrowing { [weak self, address] channel -> NIOLoopBound<ReplyHandler> in
            let handler = NIOLoopBound(
                try channel.pipeline.syncOperations.handler(type: ReplyHandler.self), eventLoop: channel.eventLoop)
            channel.closeFuture.whenComplete { [weak self] _ in
                let error = MemcachedError(
                    .connectionFailed, "The connection ended before an answer came", server: "\(address)")
                self?.lost(handler.value.hasAnswered ? nil : error)
            }
            return handler
        }.flatMapErrorThrowing { [address] error in
            throw MemcachedError(
                .connectionFailed, "No connection could be made", server: "\(address)", underlyingError: error)
        }
        handler.whenFailure { [weak self] error in self?.lost(error as? MemcachedError) }
        return handler
    }

    /// A channel, or an error if it takes longer than a connection may: a name may be looked up for any time.
    private func inTime(_ channel: EventLoopFuture<any Channel>) -> EventLoopFuture<any Channel> {
        let promise = eventLoop.makePromise(of: (any Channel).self)
        let limit = TimeAmount(bounded: configuration.connectTimeout)
        let timer = eventLoop.scheduleTask(in: limit) {
            promise.fail(ChannelError.connectTimeout(limit))
            // Whoever comes too late finds nobody.
            channel.whenSuccess { $0.close(promise: nil) }
        }
        channel.whenComplete { result in
            timer.cancel()
            promise.completeWith(result)
        }
        return promise.futureResult
    }

    /// The first answer has come on a new connection.
    private func answered() {
        let wasOutage = state.withLock { state in
            defer { (state.failures, state.lastError) = (0, nil) }
            return state.failures > 0
        }
        if wasOutage { logger.info("Connected to Memcached again", metadata: ["server": "\(address)"]) }
    }

    /// - Parameter error: why, if nothing was answered on it.
    private func lost(_ error: MemcachedError?) {
        let isNews = state.withLock { state in
            state.handler = nil
            guard let error, !state.isClosed else { return false }
            state.failures += 1
            state.lastError = error
            let longest = min(configuration.maxBackoff, .seconds(100 * 365 * 86_400))
            let pause = min(min(configuration.minBackoff, longest) * (1 << min(state.failures - 1, 20)), longest)
            state.nextAttempt = .now + pause * Double.random(in: 0.5...1)
            return state.failures == 1
        }
        if isNews, let error { logger.warning("No connection to Memcached", metadata: ["error": "\(error)"]) }
    }

    /// Ends for good; commands fail from now on.
    func close() -> EventLoopFuture<Void> {
        let handler = state.withLock { state in
            state.isClosed = true
            return state.handler
        }
        guard let handler else { return eventLoop.makeSucceededVoidFuture() }
        let error = closed(mayHaveTakenEffect: true)
        return handler.map { $0.value.end(error) }.recover { _ in }
    }
}

extension TimeAmount {
    /// Between a millisecond and a century.
    init(bounded duration: Duration) {
        let duration = min(max(.milliseconds(1), duration), .seconds(100 * 365 * 86_400))
        let (seconds, attoseconds) = duration.components
        self = .nanoseconds(seconds * 1_000_000_000 + attoseconds / 1_000_000_000)
    }
}
