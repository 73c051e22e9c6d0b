import NIOCore
import NIOPosix

/// Finds out why a server says nothing: it speaks plainly where this client encrypts, or the other way round.
///
/// It makes another connection, says something, and looks at the first byte of the answer.
enum PortProbe {
    private static let timeout = TimeAmount.seconds(1)
    /// A greeting of TLS that is none: answered with an alert.
    private static let brokenGreeting: [UInt8] = [22, 3, 1, 0, 5, 1, 0, 0, 1, 0]
    private static let alert: UInt8 = 21

    /// Whether an error may come from that.
    static func canExplain(_ error: RedisError) -> Bool {
        [.connectionClosed, .connectTimeout, .encryptionFailed, .malformedReply].contains(error.code)
    }

    /// What went wrong, said better if it can be found out.
    static func explain(
        _ error: RedisError,
        _ configuration: RedisConfiguration,
        on eventLoop: any EventLoop
    ) -> EventLoopFuture<RedisError> {
        guard case .host(let name, let port) = configuration.address.place else {
            return eventLoop.makeSucceededFuture(error)
        }
        let encrypts = configuration.encryption != nil
        let answer = eventLoop.makePromise(of: UInt8?.self)
        let bootstrap = ClientBootstrap(group: eventLoop)
            .connectTimeout(timeout)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(
                        Handler(says: encrypts ? Array("PING\r\n".utf8) : brokenGreeting, answer))
                }
            }
        bootstrap.connect(host: name, port: port).whenFailure { _ in answer.succeed(nil) }
        // A name may be looked up for any time.
        let limit = eventLoop.scheduleTask(in: timeout * 3) { answer.succeed(nil) }
        answer.futureResult.whenComplete { _ in limit.cancel() }
        return answer.futureResult.map { byte in
            switch byte {
            case UInt8(ascii: "+"), UInt8(ascii: "-"):
                guard encrypts else { return error }
                return RedisError(
                    .encryptionFailed,
                    "The server at \(configuration.address) doesn't encrypt on this port: use redis:// instead of "
                        + "rediss://, or its port for TLS")
            case alert:
                guard !encrypts else { return error }
                return RedisError(
                    .encryptionFailed,
                    "The server at \(configuration.address) encrypts on this port: use rediss:// instead of redis://, "
                        + "or its plain port")
            default: return error
            }
        }
    }

    private final class Handler: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer

        private let words: [UInt8]
        private let answer: EventLoopPromise<UInt8?>
        private var end: Scheduled<Void>?

        init(says words: [UInt8], _ answer: EventLoopPromise<UInt8?>) {
            self.words = words
            self.answer = answer
        }

        func channelActive(context: ChannelHandlerContext) {
            context.writeAndFlush(wrapOutboundOut(ByteBuffer(bytes: words)), promise: nil)
            let channel = context.channel
            end = context.eventLoop.scheduleTask(in: timeout) { channel.close(promise: nil) }
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            answer.succeed(unwrapInboundIn(data).getInteger(at: 0))
            context.close(promise: nil)
        }

        func errorCaught(context: ChannelHandlerContext, error: any Error) {
            context.close(promise: nil)
        }

        func channelInactive(context: ChannelHandlerContext) {
            end?.cancel()
            // Nothing happens if there was an answer.
            answer.succeed(nil)
        }
    }
}
