// What the documentation's snippets refer to; see Scripts/snippets.
import CoreMetrics
import Dramatiq
import DramatiqFileStorage
import DramatiqWorkflow
import Foundation
import Logging

let transport = InMemoryTransport()
let backend = InMemoryRateLimiterBackend()
let broker = Broker(transport: transport)
let worker = Worker(broker)
let logger = Logger(label: "documentation")
let prometheus = NOOPMetricsHandler.instance
let files = StorageDirectory("/var/lib/app/workflows")

let resize = TaskActor("resize", queue: "images") { (_: String, _: Int) in }
let publish = TaskActor("publish") { (_: String) in }
let fetch = TaskActor("fetch") { (_: String) in }
let check = TaskActor("check") { (_: String) in }
let recognise = TaskActor("recognise") { (_: String, _: Int) in }
let tell = TaskActor("tell") { (_: String) in }

let paths = ["a.png", "b.png"]
let parts = ["a", "b"]
let url = "https://example.org/album"
let run = WorkflowRun(id: "3b0c:run", broker: broker)
let file = URL(filePath: "jobs.dictionary")
let notifies = true

struct CardDeclined: Error {}

func bill() async throws {}
func countPages(of document: String) async throws -> Int { document.utf8.count }
