import Dramatiq

// A program at its top level: its own variables are used by what a limiter and a worker run in place.

let backend = InMemoryRateLimiterBackend()
let mutex = try ConcurrentRateLimiter(backend: backend, key: "billing", limit: 1)
let transport = InMemoryTransport()
let broker = Broker(transport: transport)
let quickly: [ActorOption] = [.minBackoff(.milliseconds(10)), .maxBackoff(.milliseconds(50))]
let charge = TaskActor("charge", options: quickly) { (order: String) in
    // When another order has the place, `Retries` tries again later.
    try await mutex.acquire { print("charging \(order)") }
}
try await broker.declare(charge)

var sent = 0
try await mutex.acquire {
    for order in ["a", "b", "c"] {
        try await charge.send(order, to: broker)
        sent += 1
    }
}
var done = 0
try await Worker(broker).run {
    try await transport.joinAll()
    done = sent - transport.deadLetters().count
}
print("\(done) of \(sent) orders are charged")
