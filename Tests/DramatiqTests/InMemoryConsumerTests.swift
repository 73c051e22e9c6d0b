import Dramatiq
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(10))) struct InMemoryConsumerTests {
    /// A consumer that is woken for a message and cancelled before it takes it leaves it to one that waits.
    @Test func aMessageReachesSomebodyWhoeverIsCancelled() async throws {
        let task = TaskActor("task") {}
        for _ in 0..<300 {
            let transport = InMemoryTransport()
            let broker = Broker(transport: transport)
            try await broker.declare(task)
            let first = try await transport.consumer(of: "default", prefetch: 1)
            let second = try await transport.consumer(of: "default", prefetch: 1)
            let leaving = Task { try await first.next(limit: 1) }
            await Task.yield()
            let staying = Task { try await second.next(limit: 1) }
            await Task.yield()
            try await task.send(to: broker)
            leaving.cancel()
            let left = try await leaving.value
            if left.isEmpty {
                #expect(try await staying.value.count == 1)
            } else {
                await first.close()
                #expect(try await staying.value.count == 1)
            }
        }
    }
}
