import Dramatiq
import DramatiqWorkflow

/// Resizes the pictures of an album side by side, then publishes it, then tells two people. Runs in one process and ends
/// when everything is done.
@main
struct AlbumWorkflow {
    static func main() async throws {
        let resize = TaskActor("resize", queue: "images") { (path: String, width: Int) in
            try await Task.sleep(for: .milliseconds(100))
            print("resized \(path) to \(width)")
        }
        let publish = TaskActor("publish") { (album: String) in print("published \(album)") }
        let tell = TaskActor("tell") { (person: String, album: String) in print("told \(person) about \(album)") }

        let transport = InMemoryTransport()
        let broker = Broker(
            transport: transport,
            middleware: Broker.defaultMiddleware + [WorkflowMiddleware(backend: InMemoryRateLimiterBackend())])
        try await broker.declare(resize, publish, tell)

        let workflow = Workflow(broker: broker) {
            Chain {
                Group {
                    for path in ["beach.png", "dune.png", "pier.png"] { resize.message(path, 200) }
                }
                publish.message("summer")
                WithDelay(.milliseconds(500)) {
                    Group(tell.message("Ada", "summer"), tell.message("Grace", "summer"))
                }
            }
        }
        print(workflow)
        try await workflow.run()

        try await Worker(broker, concurrency: 4).run { try await transport.joinAll() }
        for letter in transport.deadLetters() { print("not done: \(letter.reason)") }
    }
}
