import NIOCore

/// Sends commands on one channel and pairs the answers with them. Used on the channel's event loop alone.
final class ReplyHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private struct Request {
        let promise: EventLoopPromise<MetaReply>
        let deadline: NIODeadline
    }

    private let server: String
    private let timeout: TimeAmount
    private let firstAnswer: () -> Void
    /// Whether the server has answered what is said first on a connection. What it says before that was asked by nobody,
    /// and would be taken for the answer to a command, and so on.
    private var hasGreeted = false
    private var hasSpoken = false
    /// Whether the server has answered something.
    private(set) var hasAnswered = false
    private var context: ChannelHandlerContext?
    private var decoder = MetaReplyDecoder()
    private var waiting = CircularBuffer<Request>()
    /// The commands to be written at the end of this turn.
    private var outgoing = ByteBuffer()
    private var wakeup: Scheduled<Void>?

    /// - Parameter firstAnswer: called once the server has answered something.
    init(server: String, timeout: TimeAmount, firstAnswer: @escaping () -> Void) {
        self.server = server
        self.timeout = timeout
        self.firstAnswer = firstAnswer
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
    }

    func send(_ command: MetaCommand, _ promise: EventLoopPromise<MetaReply>) {
        guard let context else {
            promise.fail(MemcachedError(.connectionClosed, "The connection was lost", server: server))
            return
        }
        waiting.append(Request(promise: promise, deadline: .now() + timeout))
        if outgoing.readableBytes == 0 {
            context.eventLoop.assumeIsolated().execute { self.flush() }
        }
        if !hasSpoken {
            hasSpoken = true
            MetaCommand.nothing.write(to: &outgoing)
        }
        command.write(to: &outgoing)
        if wakeup == nil { scheduleTimeout() }
    }

    /// What tasks have sent by the end of the event loop's turn goes out in one write.
    private func flush() {
        guard let context, outgoing.readableBytes > 0 else { return }
        context.writeAndFlush(NIOAny(outgoing), promise: nil)
        outgoing = context.channel.allocator.buffer(capacity: 256)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        decoder.append(&bytes)
        do throws(MemcachedError) {
            while self.context != nil, let reply = try decoder.next() {
                if !hasGreeted {
                    if case .error = reply { throw MemcachedError.old(server: server) }
                    guard case .nothing = reply else { throw Self.unasked }
                    hasGreeted = true
                    continue
                }
                guard let request = waiting.popFirst() else { throw Self.unasked }
                if !hasAnswered {
                    hasAnswered = true
                    firstAnswer()
                }
                request.promise.succeed(reply)
            }
        } catch {
            end(MemcachedError(error.code, error.message, server: server, mayHaveTakenEffect: true))
        }
    }

    private static var unasked: MemcachedError {
        MemcachedError(.malformedReply, "It answered although nothing was asked")
    }

    func channelInactive(context: ChannelHandlerContext) {
        end(lost(nil))
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        end(lost(error))
    }

    private func lost(_ error: (any Error)?) -> MemcachedError {
        MemcachedError(
            .connectionClosed, "The connection was lost", server: server, mayHaveTakenEffect: true,
            underlyingError: error)
    }

    /// An answer that comes too late would be taken for another one's, so the connection ends with the first that is
    /// missing.
    private func scheduleTimeout() {
        guard let context, let first = waiting.first else { return }
        wakeup = context.eventLoop.assumeIsolated().scheduleTask(deadline: first.deadline) {
            self.wakeup = nil
            if let first = self.waiting.first, first.deadline <= .now() {
                self.end(
                    MemcachedError(
                        .commandTimeout, "There was no answer in time", server: self.server, mayHaveTakenEffect: true))
            } else {
                self.scheduleTimeout()
            }
        }
    }

    /// Closes the channel; commands without an answer fail.
    func end(_ error: MemcachedError) {
        guard let context else { return }
        self.context = nil
        wakeup?.cancel()
        wakeup = nil
        let failed = waiting
        waiting = []
        context.close(promise: nil)
        for request in failed { request.promise.fail(error) }
    }
}
