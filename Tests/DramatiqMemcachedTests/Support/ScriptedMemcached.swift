import DramatiqMemcached
import NIOCore
import NIOPosix
import Synchronization
import TestSupport

/// A server that says whatever a test wants, for what a real one does rarely or never.
final class ScriptedMemcached: Sendable {
    /// What came, in pieces as they were read.
    let received = Recorder<String>()
    private let connectionCount = Mutex(0)
    private let channel = Mutex<(any Channel)?>(nil)

    /// - Parameters:
    ///   - greets: whether it answers what is said first on a connection as a real one does, and `answer` doesn't see it.
    ///   - answer: what is sent for a piece that came; `nil` closes the connection.
    init(greets: Bool = true, answer: @escaping @Sendable (_ piece: String) -> String?) async throws {
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                self.connectionCount.withLock { $0 += 1 }
                return channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(
                        Handler { piece in
                            guard greets, piece.hasPrefix("mn\r\n") else {
                                self.received.add(piece)
                                return answer(piece)
                            }
                            let rest = String(piece.dropFirst("mn\r\n".count))
                            if rest.isEmpty { return "MN\r\n" }
                            self.received.add(rest)
                            return answer(rest).map { "MN\r\n" + $0 }
                        })
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        self.channel.withLock { $0 = channel }
    }

    /// How many connections were made to it.
    var connections: Int { connectionCount.withLock(\.self) }
    var address: String { "127.0.0.1:\(channel.withLock { $0?.localAddress?.port } ?? 0)" }

    deinit {
        channel.withLock { $0?.close(promise: nil) }
    }

    private final class Handler: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer

        private let answer: (String) -> String?

        init(answer: @escaping (String) -> String?) {
            self.answer = answer
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            guard let text = answer(String(buffer: unwrapInboundIn(data))) else {
                context.close(promise: nil)
                return
            }
            if !text.isEmpty { context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: text)), promise: nil) }
        }
    }
}
