import Dramatiq
import DramatiqDedupStorage
import DramatiqWorkflow
import Foundation

#if canImport(FoundationNetworking)
    import FoundationNetworking
#endif

/// Keeps workflows as objects on a server that takes PUT and GET: a bucket, WebDAV, a service of your own.
struct ObjectWorkflowStore: WorkflowStore {
    struct Failure: Error {
        let reason: String
    }

    /// Where the objects are.
    let bucket: URL

    func store(_ workflow: [UInt8], completionID: String) async throws -> JSONValue {
        var request = URLRequest(url: try url(completionID))
        request.httpMethod = "PUT"
        let (_, response) = try await URLSession.shared.upload(for: request, from: Data(workflow))
        try check(response)
        return .string(completionID)
    }

    func load(_ reference: JSONValue, completionID: String) async throws -> [UInt8] {
        // It came with a message: nothing is fetched unless it is what `store` gave out.
        guard reference.stringValue == completionID else { throw Failure(reason: "not a reference: \(reference)") }
        let (data, response) = try await URLSession.shared.data(from: try url(completionID))
        try check(response)
        return [UInt8](data)
    }

    /// Completion ids are UUIDs, so nothing else gets into a URL.
    private func url(_ completionID: String) throws -> URL {
        guard UUID(uuidString: completionID) != nil else { throw Failure(reason: "not an id: \(completionID)") }
        return bucket.appending(path: completionID)
    }

    private func check(_ response: URLResponse) throws {
        let status = (response as? HTTPURLResponse)?.statusCode ?? 0
        guard (200..<300).contains(status) else { throw Failure(reason: "\(response.url as Any): status \(status)") }
    }
}

/// Runs a workflow whose rest is on a server: `swift run OwnStore http://127.0.0.1:9000/workflows/`.
@main
struct OwnStore {
    static func main() async throws {
        guard let address = CommandLine.arguments.dropFirst().first, let bucket = URL(string: address) else {
            return print("usage: OwnStore URL")
        }
        let resize = TaskActor("resize") { (path: String, width: Int) in print("resized \(path) to \(width)") }
        let publish = TaskActor("publish") { (album: String) in print("published \(album)") }

        let transport = InMemoryTransport()
        let broker = Broker(
            transport: transport,
            middleware: Broker.defaultMiddleware + [
                WorkflowMiddleware(
                    backend: InMemoryRateLimiterBackend(),
                    callbackStorage: DedupCallbackStorage(ObjectWorkflowStore(bucket: bucket)))
            ])
        try await broker.declare(resize, publish)
        try await Workflow(broker: broker) {
            Chain {
                Group { for path in ["beach.png", "dune.png", "pier.png"] { resize.message(path, 200) } }
                publish.message("summer")
            }
        }.run()

        try await Worker(broker, concurrency: 4).run { try await transport.joinAll() }
        for letter in transport.deadLetters() { print("not done: \(letter.reason)") }
    }
}
