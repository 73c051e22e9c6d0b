import Foundation
import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization
import TestSupport

/// An HTTP server of a test's own whose answers are given byte by byte, so that they can be wrong in any way.
final class ScriptedServer: Sendable {
    struct Request: Sendable {
        var method = ""
        var uri = ""
        var headers = HTTPHeaders()
        var body: [UInt8] = []

        var path: String { String(uri.prefix { $0 != "?" }) }
    }

    /// What is done with a request, one step after the other. Then the connection goes on.
    enum Step: Sendable {
        case send([UInt8])
        case wait(Gate)
        /// Sends it again and again, until the connection is gone.
        case sendForever([UInt8], pause: Duration)
        case close
    }

    let port: Int
    private let received = Mutex<[Request]>([])

    private init(port: Int) {
        self.port = port
    }

    var endpoint: String { "http://127.0.0.1:\(port)" }
    /// The requests that came, in their order.
    var requests: [Request] { received.withLock(\.self) }

    /// An answer that is right.
    static func answer(_ status: Int = 200, _ headers: [(String, String)] = [], _ body: String = "") -> [Step] {
        answer(status, headers, Array(body.utf8))
    }

    static func answer(_ status: Int, _ headers: [(String, String)], _ body: [UInt8]) -> [Step] {
        var headers = HTTPHeaders(headers)
        if !headers.contains(name: "content-length") { headers.add(name: "content-length", value: "\(body.count)") }
        let lines = ["HTTP/1.1 \(status) Status"] + headers.map { "\($0.name): \($0.value)" }
        return [.send(Array((lines.joined(separator: "\r\n") + "\r\n\r\n").utf8) + body)]
    }

    /// Runs a test's body beside a server.
    static func run<Result: Sendable>(
        _ handler: @escaping @Sendable (Request) async throws -> [Step],
        _ body: @escaping @Sendable (ScriptedServer) async throws -> Result
    ) async throws -> Result {
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(ChannelOptions.socketOption(.so_reuseaddr), value: 1)
            .bind(host: "127.0.0.1", port: 0) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
                }
            }
        let server = ScriptedServer(port: channel.channel.localAddress?.port ?? 0)
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                try await withThrowingDiscardingTaskGroup { connections in
                    try await channel.executeThenClose { clients in
                        for try await client in clients {
                            connections.addTask { await server.serve(client, handler) }
                        }
                    }
                }
            }
            let result = try await body(server)
            group.cancelAll()
            // It ends with an error, as it was cancelled.
            while (try? await group.next()) ?? nil != nil {}
            return result
        }
    }

    private func serve(
        _ client: NIOAsyncChannel<ByteBuffer, ByteBuffer>,
        _ handler: @Sendable (Request) async throws -> [Step]
    ) async {
        // Whatever ends a connection ends it for the client, too.
        try? await client.executeThenClose { input, output in
            var reader = RequestReader()
            for try await bytes in input {
                guard let request = reader.read(bytes) else { continue }
                received.withLock { $0.append(request) }
                for step in try await handler(request) {
                    switch step {
                    case .send(let bytes): try await output.write(ByteBuffer(bytes: bytes))
                    case .wait(let gate): try await gate.wait()
                    case .close: return
                    case .sendForever(let bytes, let pause):
                        while true {
                            try await output.write(ByteBuffer(bytes: bytes))
                            try await Task.sleep(for: pause)
                        }
                    }
                }
            }
        }
    }
}

/// Puts a request together. Clients send the next one after the answer.
private struct RequestReader {
    private var bytes: [UInt8] = []

    mutating func read(_ more: ByteBuffer) -> ScriptedServer.Request? {
        bytes += more.readableBytesView
        guard let end = Data(bytes).range(of: Data("\r\n\r\n".utf8)) else { return nil }
        var lines = String(decoding: bytes[..<end.lowerBound], as: UTF8.self).components(separatedBy: "\r\n")[...]
        let words = (lines.popFirst() ?? "").split(separator: " ").map(String.init)
        guard words.count == 3 else { return nil }
        var request = ScriptedServer.Request(method: words[0], uri: words[1])
        for line in lines {
            guard let colon = line.firstIndex(of: ":") else { continue }
            request.headers.add(
                name: String(line[..<colon]),
                value: line[line.index(after: colon)...].trimmingCharacters(in: .whitespaces))
        }
        let length = request.headers.first(name: "content-length").flatMap { Int($0) } ?? 0
        guard bytes.count >= end.upperBound + length else { return nil }
        request.body = Array(bytes[end.upperBound..<(end.upperBound + length)])
        bytes.removeFirst(end.upperBound + length)
        return request
    }
}
