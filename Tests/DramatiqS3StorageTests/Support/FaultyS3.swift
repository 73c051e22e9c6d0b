import AsyncHTTPClient
import DramatiqS3Storage
import Foundation
import NIOCore
import NIOHTTP1
import Synchronization
import TestSupport

/// What goes wrong with a request.
enum Fault: Sendable {
    /// It is answered so, and never reaches the server.
    case answer(Int, code: String)
    /// It waits for the gate, is answered with the status 503 then, and never reaches the server.
    case overloaded(Gate)
    /// It is answered with these bytes, and never reaches the server.
    case raw(String)
    /// The connection ends before it reaches the server.
    case refused
    /// It reaches the server, and the connection ends before the answer.
    case lost
    /// The answer ends after so many bytes of its body.
    case cut(Int)
    /// It reaches the server, and nothing comes back for as long as the gate is shut.
    case held(Gate)
    /// The answer comes a byte at a time, and never to its end.
    case drip
    /// The answer has no end.
    case endless
    /// A byte of the answer's body is another one.
    case damaged
    /// The answer has a few bytes more than were stored, as long as it says.
    case longer
    /// The answer lacks a header.
    case without(String)
    /// Nothing goes wrong.
    case none
}

/// A server of S3 that is reached through faults.
final class FaultyS3: Sendable {
    let server: S3Server
    let proxy: ScriptedServer
    private let faults: Faults

    /// Those that the next requests have, in their order; then there are none, or always the one.
    final class Faults: Sendable {
        private struct State {
            var next: [Fault] = []
            var always: Fault?
        }

        private let state = Mutex(State())

        func set(_ next: [Fault], always: Fault?) {
            state.withLock { $0 = State(next: next, always: always) }
        }

        func take() -> Fault {
            state.withLock { $0.next.isEmpty ? $0.always ?? .none : $0.next.removeFirst() }
        }
    }

    private init(_ server: S3Server, _ proxy: ScriptedServer, _ faults: Faults) {
        self.server = server
        self.proxy = proxy
        self.faults = faults
    }

    /// Runs a test's body with a bucket of the name `bucket`.
    static func run<Result: Sendable>(
        _ body: @escaping @Sendable (FaultyS3) async throws -> Result
    ) async throws -> Result {
        let server = try await S3Server()
        defer { server.kill() }
        let faults = Faults()
        return try await ScriptedServer.run { request in
            try await steps(for: request, faults.take(), server.endpoint)
        } _: { proxy in
            let s3 = FaultyS3(server, proxy, faults)
            try await s3.makeBucket()
            return try await body(s3)
        }
    }

    /// The requests that came, as methods.
    var methods: [String] { proxy.requests.map(\.method) }

    func fail(_ next: Fault..., always: Fault? = nil) {
        faults.set(next, always: always)
    }

    func makeBucket() async throws {
        try await TestBucket(endpoint: server.endpoint).create()
    }

    /// What a store needs to get there.
    func configuration(_ change: (inout S3Configuration) -> Void = { _ in }) throws -> S3Configuration {
        var configuration = S3Configuration(
            bucket: "bucket", region: S3Server.region, endpoint: proxy.endpoint,
            credentials: try S3Credentials(
                accessKeyID: S3Server.accessKeyID, secretAccessKey: S3Server.secretAccessKey))
        configuration.minBackoff = .milliseconds(1)
        configuration.maxBackoff = .milliseconds(10)
        configuration.requestTimeout = .patience
        configuration.patience = .patience
        change(&configuration)
        return configuration
    }

    func store(_ change: (inout S3Configuration) -> Void = { _ in }) throws -> S3WorkflowStore {
        try S3WorkflowStore(configuration(change))
    }

    private static func steps(
        for request: ScriptedServer.Request,
        _ fault: Fault,
        _ upstream: String
    ) async throws -> [ScriptedServer.Step] {
        switch fault {
        case .answer(let status, let code):
            let body = "<?xml version=\"1.0\"?><Error><Code>\(code)</Code><Message>Of the test</Message></Error>"
            return ScriptedServer.answer(
                status, [("x-amz-request-id", "REQUEST")], request.method == "HEAD" ? "" : body)
        case .overloaded(let gate): return [.wait(gate)] + ScriptedServer.answer(503)
        case .raw(let text): return [.send(Array(text.utf8)), .close]
        case .refused: return [.close]
        default: break
        }
        var forwarded = HTTPClientRequest(url: upstream + request.uri)
        forwarded.method = HTTPMethod(rawValue: request.method)
        forwarded.headers = request.headers
        forwarded.headers.remove(name: "connection")
        if request.headers.contains(name: "content-length") {
            forwarded.headers.remove(name: "content-length")
            forwarded.body = .bytes(ByteBuffer(bytes: request.body))
        }
        let response = try await HTTPClient.shared.execute(forwarded, timeout: .seconds(300))
        var body = Array(buffer: try await response.body.collect(upTo: 1 << 30))
        var headers = response.headers
        for name in ["connection", "transfer-encoding"] { headers.remove(name: name) }
        if request.method != "HEAD" { headers.replaceOrAdd(name: "content-length", value: "\(body.count)") }
        func answer(_ headers: HTTPHeaders, _ body: [UInt8]) -> [ScriptedServer.Step] {
            ScriptedServer.answer(Int(response.status.code), headers.map { ($0.name, $0.value) }, body)
        }
        switch fault {
        case .lost: return [.close]
        case .cut(let count): return answer(headers, Array(body.prefix(count))) + [.close]
        case .held(let gate): return [.wait(gate)] + answer(headers, body)
        case .drip:
            headers.replaceOrAdd(name: "content-length", value: "\(1 << 20)")
            return answer(headers, []) + [.sendForever([0x20], pause: .milliseconds(5))]
        case .endless:
            headers.remove(name: "content-length")
            headers.add(name: "transfer-encoding", value: "chunked")
            let head = ["HTTP/1.1 200 OK"] + headers.map { "\($0.name): \($0.value)" } + ["", ""]
            let chunk = "10000\r\n" + String(repeating: "x", count: 0x10000) + "\r\n"
            return [
                .send(Array(head.joined(separator: "\r\n").utf8)), .sendForever(Array(chunk.utf8), pause: .zero),
            ]
        case .damaged:
            if !body.isEmpty { body[body.count / 2] ^= 1 }
            return answer(headers, body)
        case .longer:
            headers.replaceOrAdd(name: "content-length", value: "\(body.count + 3)")
            return answer(headers, body + [0x20, 0x20, 0x20])
        case .without(let name):
            headers.remove(name: name)
            return answer(headers, body)
        default: return answer(headers, body)
        }
    }
}
