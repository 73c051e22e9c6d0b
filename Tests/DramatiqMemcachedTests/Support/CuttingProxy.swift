import NIOCore
import NIOPosix
import Synchronization

/// Stands between clients and a server, and cuts connections when it is told to: before a piece of what a client sent
/// reaches the server, or after the server has answered it and before the client hears of it.
final class CuttingProxy: Sendable {
    enum Cut: Sendable, CaseIterable {
        case before
        case after
    }

    private let decide = Mutex<@Sendable () -> Cut?>({ nil })
    private let cutCount = Mutex(0)
    private let channel = Mutex<(any Channel)?>(nil)
    private let clients = Mutex<[any Channel]>([])

    init(to port: Int) async throws {
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.autoRead, value: false)
            .childChannelInitializer { client in
                self.clients.withLock { $0.append(client) }
                return ClientBootstrap(group: client.eventLoop)
                    .connect(host: "127.0.0.1", port: port)
                    .flatMapThrowing { server in
                        let cuts = Cuts { self.next() }
                        try client.pipeline.syncOperations.addHandler(Relay(server, cuts, isFromClient: true))
                        try server.pipeline.syncOperations.addHandler(Relay(client, cuts, isFromClient: false))
                        client.setOption(.autoRead, value: true).whenComplete { _ in }
                    }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        self.channel.withLock { $0 = channel }
    }

    deinit {
        channel.withLock { $0?.close(promise: nil) }
    }

    var address: String { "127.0.0.1:\(channel.withLock { $0?.localAddress?.port } ?? 0)" }
    var cuts: Int { cutCount.withLock(\.self) }

    /// - Parameter decide: is asked about every piece that a client has sent.
    func set(_ decide: @escaping @Sendable () -> Cut?) {
        self.decide.withLock { $0 = decide }
    }

    /// Cuts all connections.
    func cutAll() async throws {
        let clients = self.clients.withLock { clients in
            defer { clients = [] }
            return clients
        }
        for client in clients { try? await client.close() }
    }

    private func next() -> Cut? {
        let cut = decide.withLock { $0 }()
        if cut != nil { cutCount.withLock { $0 += 1 } }
        return cut
    }

    /// What was decided on one connection; of its event loop.
    private final class Cuts {
        let next: () -> Cut?
        var isAnswerLost = false

        init(next: @escaping () -> Cut?) {
            self.next = next
        }
    }

    private final class Relay: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer

        private let other: any Channel
        private let cuts: Cuts
        private let isFromClient: Bool

        init(_ other: any Channel, _ cuts: Cuts, isFromClient: Bool) {
            self.other = other
            self.cuts = cuts
            self.isFromClient = isFromClient
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            if isFromClient {
                switch cuts.next() {
                case .before?: return end(context)
                case .after?: cuts.isAnswerLost = true
                case nil: break
                }
            } else if cuts.isAnswerLost {
                return end(context)
            }
            other.writeAndFlush(unwrapInboundIn(data), promise: nil)
        }

        func channelInactive(context: ChannelHandlerContext) {
            end(context)
        }

        func errorCaught(context: ChannelHandlerContext, error: any Error) {
            end(context)
        }

        private func end(_ context: ChannelHandlerContext) {
            context.close(promise: nil)
            other.close(promise: nil)
        }
    }
}
