import Dramatiq
import DramatiqWorkflow
import Foundation
import TestSupport
import Testing

@testable import DramatiqDedupStorage

/// A chain of a hundred thousand steps costs one call of the store, and as much memory at its end as at its start.
@Suite(.timeLimit(.minutes(10))) struct LongChainTests {
    private static let length = 100_000

    /// Keeps what it is given outside of this process's memory, as stores do.
    private struct DiscStore: WorkflowStore {
        let path: String
        let sizes = Recorder<Int>()
        let loads = Recorder<Int>()

        var identity: String? { path }

        func store(_ workflow: [UInt8], completionID: String) async throws -> JSONValue {
            _ = sizes.add(workflow.count)
            try Data(workflow).write(to: URL(filePath: path))
            return .string(completionID)
        }

        func load(_ reference: JSONValue, completionID: String) async throws -> [UInt8] {
            _ = loads.add(1)
            return [UInt8](try Data(contentsOf: URL(filePath: path)))
        }
    }

    /// The memory of this process, in bytes.
    private func residentMemory() throws -> Int {
        #if os(Linux)
            let fields = try String(contentsOfFile: "/proc/self/statm", encoding: .utf8).split(separator: " ")
            return (Int(fields[1]) ?? 0) * Int(sysconf(Int32(_SC_PAGESIZE)))
        #else
            return 0
        #endif
    }

    @Test func aHundredThousandStepsAreStoredOnce() async throws {
        let path = URL.temporaryDirectory.appending(path: "long-chain-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: path) }
        let store = DiscStore(path: path)
        let cache = WorkflowCache()
        let transport = InMemoryTransport(fidelity: .bytes)
        let broker = Broker(
            transport: transport,
            middleware: Broker.defaultMiddleware + [
                WorkflowMiddleware(
                    backend: InMemoryRateLimiterBackend(),
                    callbackStorage: DedupCallbackStorage(store, cache: cache))
            ])
        let last = Recorder<Int>()
        let memory = Recorder<Int>()
        let step = TaskActor("step") { (number: Int) in
            if number.isMultiple(of: Self.length / 10) { _ = memory.add(try residentMemory()) }
            if number == Self.length - 1 { _ = last.add(number) }
        }
        try await broker.declare(step)
        try await Workflow(broker: broker) {
            Chain { for number in 0..<Self.length { step.message(number) } }
        }.run()
        #expect(store.sizes.count == 1)
        #expect(try #require(store.sizes.values.first) <= 25_000_000)
        // Another process, which has to load it.
        cache.removeAll()
        try await withWorker(Worker(broker, concurrency: 4)) {
            try await transport.joinAll(timeout: .seconds(500))
        }
        #expect(last.values == [Self.length - 1])
        #expect(store.sizes.count == 1)
        #expect(store.loads.count == 1)
        #expect(transport.deadLetters().isEmpty)
        let (tenth, end) = (memory.values[1], memory.values[9])
        #expect(end - tenth < 32 << 20, "memory: \(memory.values)")
    }
}
