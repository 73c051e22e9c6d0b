import Dramatiq
import DramatiqDedupStorage
import DramatiqLZ4
import DramatiqWorkflow
import DramatiqZlib
import TestSupport
import Testing

@testable import DramatiqFileStorage

/// A group of 1 000 and then a group of 1 000: what goes through the broker.
@Suite(.timeLimit(.minutes(10))) struct MessageSizeTests {
    private let scratch: ScratchDirectory

    init() throws {
        scratch = try ScratchDirectory()
    }

    private func run(
        _ storage: any CallbackStorage,
        _ encoder: any MessageEncoder,
        tracking: RunTracking = .enabled
    ) async throws -> CountingTransport.Counts {
        var counting: CountingTransport?
        let stage = try await Stage(fidelity: .values, storage: storage, tracking: tracking, encoder: encoder) {
            let transport = CountingTransport($0)
            counting = transport
            return transport
        }
        let m = stage.task.message
        try await Workflow(broker: stage.broker) {
            Chain {
                Group { for number in 0..<1_000 { m("task \(number)") } }
                Group { for number in 0..<1_000 { m("task \(number)") } }
            }
        }.run()
        try await stage.work()
        #expect(stage.ran.count == 2_000)
        let counts = try #require(counting).counts
        #expect(counts.messages == 2_000)
        return counts
    }

    @Test func storagesKeepLargeWorkflowsOutOfTheMessages() async throws {
        let directory = StorageDirectory(scratch.storage, compressor: LZ4Compressor())
        for encoder in [JSONMessageEncoder(), LZ4MessageEncoder()] as [any MessageEncoder] {
            let inline = try await run(InlineCallbackStorage(), encoder)
            let file = try await run(FileCallbackStorage(directory), encoder)
            let dedup = try await run(DedupCallbackStorage(FileWorkflowStore(directory)), encoder)
            #expect(dedup.bytes < 1_000_000)
            #expect(file.bytes < dedup.bytes)
            // Some 50 of them are the entry of the run.
            #expect(file.largest < 500)
            if encoder is JSONMessageEncoder { #expect(inline.bytes > 150_000_000) }
            #expect(inline.bytes > 5 * dedup.bytes)
        }
    }

    @Test(arguments: [LZ4Compressor(), ZlibCompressor()] as [any Compressor])
    func filesCanBeCompressed(compressor: any Compressor) async throws {
        let directory = StorageDirectory(scratch.storage, compressor: compressor)
        // What a tracked run has stored goes with it.
        _ = try await run(DedupCallbackStorage(FileWorkflowStore(directory)), JSONMessageEncoder(), tracking: .disabled)
        let statistics = try await directory.statistics()
        #expect(statistics.count == 1)
        #expect(statistics.bytes < 60_000)
        #expect(try await directory.verify().intact == 1)
        let plain = try await StorageDirectory(scratch.storage).verify()
        #expect(plain.problems.map(\.code) == ["unknownCodec"])
        #expect(plain.problems.first?.reason.contains("'\(compressor.name)'") == true)
    }
}
