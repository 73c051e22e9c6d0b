import DramatiqRedis
import NIOCore
import NIOPosix
import Synchronization
import TestSupport

/// A server that answers whatever a test wants, for what a real one does rarely or never.
final class ScriptedServer: Sendable {
    /// What it does with a command.
    enum Answer: Sendable {
        /// Sends these bytes.
        case bytes(String)
        /// Says nothing.
        case silence
        /// Closes the connection.
        case close
    }

    /// Commands as they came, as text, with the number of their connection.
    let commands = Recorder<(connection: Int, text: String)>()
    private let connectionCount = Mutex(0)
    private let channel = Mutex<(any Channel)?>(nil)

    /// `HELLO` is answered by `answer` as well.
    init(answer: @escaping @Sendable (_ connection: Int, _ command: String) -> Answer) async throws {
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let number = self.connectionCount.withLock { count in
                        count += 1
                        return count
                    }
                    try channel.pipeline.syncOperations.addHandler(
                        ScriptedHandler { command in
                            self.commands.add((number, command))
                            return answer(number, command)
                        })
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        self.channel.withLock { $0 = channel }
    }

    /// How many connections were made to it.
    var connections: Int { connectionCount.withLock(\.self) }

    var url: String { "redis://127.0.0.1:\(channel.withLock { $0?.localAddress?.port } ?? 0)" }

    func close() {
        channel.withLock { $0?.close(promise: nil) }
    }

    deinit {
        close()
    }
}

/// Commands have the form of replies, and are read as such.
private final class ScriptedHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let answer: (String) -> ScriptedServer.Answer
    private var decoder = RESPDecoder()

    init(answer: @escaping (String) -> ScriptedServer.Answer) {
        self.answer = answer
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let buffer = unwrapInboundIn(data)
        var commands: [String] = []
        do {
            try decoder.decode(buffer.readableBytesUInt8Span) { frame in
                guard case .reply(.array(let arguments)) = frame else { return }
                commands.append(arguments.compactMap { try? $0.string() }.joined(separator: " "))
            }
        } catch {
            context.close(promise: nil)
        }
        for command in commands {
            switch answer(command) {
            case .bytes(let text): context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: text)), promise: nil)
            case .silence: break
            case .close: context.close(promise: nil)
            }
        }
    }
}

/// Runs a test's body beside a scripted server. `HELLO` is answered as by Redis 7 unless `answer` is to see it.
func withScriptedServer(
    seesHello: Bool = false,
    _ answer: @escaping @Sendable (_ connection: Int, _ command: String) -> ScriptedServer.Answer,
    _ body: (ScriptedServer) async throws -> Void
) async throws {
    let server = try await ScriptedServer { connection, command in
        if !seesHello, command.hasPrefix("HELLO") { return .bytes("%1\r\n+proto\r\n:3\r\n") }
        return answer(connection, command)
    }
    defer { server.close() }
    try await body(server)
}
