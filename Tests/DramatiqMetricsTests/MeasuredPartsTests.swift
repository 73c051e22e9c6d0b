import Dramatiq
import DramatiqDedupStorage
import DramatiqLZ4
import DramatiqMetrics
import DramatiqTestKit
import DramatiqWorkflow
import MetricsTestKit
import TestSupport
import Testing

/// Encoders and storages that are measured do what they do otherwise.
@Suite(.timeLimit(.minutes(10))) struct MeasuredPartsTests {
    private struct Subject: EncoderSubject, CallbackStorageSubject, WorkflowStoreSubject {
        static let claims: Set<Claim> = [.plainJSON, .forgetting, .passingTime, .storeOperations, .removing]

        let claims: Set<Claim> = Subject.claims
        private let clock = TestClock()
        private let base: InMemoryWorkflowStore

        init() {
            base = InMemoryWorkflowStore(now: { [clock] in clock.instant })
        }

        private var store: MeasuredWorkflowStore<InMemoryWorkflowStore> {
            MeasuredWorkflowStore(base, factory: TestMetrics())
        }

        func makeEncoder() throws -> any MessageEncoder {
            MeasuredEncoder(LZ4MessageEncoder(minSize: 0), name: "lz4", factory: TestMetrics())
        }
        func makeStore() async throws -> any WorkflowStore { store }
        func makeStorage() async throws -> any CallbackStorage {
            DedupCallbackStorage(store, inlineLimit: 0, cache: WorkflowCache())
        }
        func letPass(_ time: Duration) async throws { clock.advance(by: time) }
        func forget() async throws { base.removeAll() }
    }

    @Test(arguments: EncoderPromises.all) func encoders(promise: Promise<any EncoderSubject>) async throws {
        try await promise.check(Subject())
    }

    @Test(arguments: CallbackStoragePromises.all.claimed(by: Subject.claims))
    func callbacks(promise: Promise<any CallbackStorageSubject>) async throws {
        try await promise.check(Subject())
    }

    @Test(arguments: WorkflowStorePromises.all.claimed(by: Subject.claims))
    func workflows(promise: Promise<any WorkflowStoreSubject>) async throws {
        try await promise.check(Subject())
    }

    @Test func anEncodersBytesAreCounted() throws {
        let figures = Figures()
        let encoder = MeasuredEncoder(LZ4MessageEncoder(minSize: 0), name: "lz4", factory: figures.factory)
        let message = Message(
            queueName: "default", actorName: "task", args: [.string(String(repeating: "same ", count: 1000))])
        let bytes = try encoder.encode(message)
        #expect(figures.count("swift_dramatiq_encoder_bytes_total", "lz4", "out") == bytes.count)
        #expect(figures.count("swift_dramatiq_encoder_bytes_total", "lz4", "in") == 0)
        #expect(try encoder.decode(bytes) == message)
        #expect(figures.count("swift_dramatiq_encoder_bytes_total", "lz4", "in") == bytes.count)
        let text = try JSONMessageEncoder().encode(message).count
        #expect(figures.count("swift_dramatiq_encoder_text_bytes_total", "lz4") == text)
        #expect(text > 10 * bytes.count)
        // What can't be read is not counted.
        #expect(throws: DecodeError.self) { try encoder.decode([1, 2, 3]) }
        #expect(figures.count("swift_dramatiq_encoder_bytes_total", "lz4", "in") == bytes.count)
    }

    @Test func aStoragesBytesAndErrorsAreCounted() async throws {
        let figures = Figures()
        let store = MeasuredWorkflowStore(InMemoryWorkflowStore(), name: "memory", factory: figures.factory)
        let place = try await store.store(Array("[1]".utf8), completionID: "a")
        _ = try await store.load(place, completionID: "a")
        _ = try await store.load(place, completionID: "a")
        await #expect(throws: (any Error).self) { _ = try await store.load("b", completionID: "b") }
        #expect(figures.count("swift_dramatiq_storage_bytes_total", "memory", "out") == 3)
        #expect(figures.count("swift_dramatiq_storage_bytes_total", "memory", "in") == 6)
        #expect(figures.count("swift_dramatiq_storage_errors_total", "memory") == 1)
        #expect(figures.values("swift_dramatiq_storage_milliseconds", "memory", "in").count == 2)
        #expect(figures.values("swift_dramatiq_storage_milliseconds", "memory", "out").count == 1)
    }
}
