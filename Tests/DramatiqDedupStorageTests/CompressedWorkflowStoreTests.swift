import Dramatiq
import DramatiqDedupStorage
import DramatiqLZ4
import DramatiqTestKit
import DramatiqWorkflow
import DramatiqZlib
import TestSupport
import Testing

/// Stores that compress what another one keeps.
@Suite(.timeLimit(.minutes(10))) struct CompressedWorkflowStoreTests {
    private let base = InMemoryWorkflowStore()
    private let large = Array(String(repeating: #"{"__type__":"group","children":[]},"#, count: 1000).utf8)
    private let small = Array("[]".utf8)

    private func load(_ store: some WorkflowStore) async throws -> [UInt8] {
        try await store.load("id", completionID: "id")
    }

    private func code(_ bytes: String, _ more: [UInt8] = []) async throws -> ContentFormatError.Code? {
        _ = try await base.store(Array(bytes.utf8) + more, completionID: "id")
        do {
            _ = try await load(base.compressed(with: LZ4Compressor()))
            return nil
        } catch let error as ContentFormatError {
            #expect(error.name == "id")
            return error.code
        }
    }

    @Test func theSmallerOfTheTwoIsKept() async throws {
        let store = base.compressed(with: LZ4Compressor())
        for content in [small, large] {
            #expect(try await store.store(content, completionID: "id") == "id")
            #expect(try await load(store) == content)
            let kept = try #require(try await base.content(named: "id"))
            #expect(kept.count <= content.count)
            #expect((kept == content) == (content == small))
        }
        let kept = try #require(try await base.content(named: "id"))
        #expect(kept.starts(with: Array("dramatiq-workflow 1 lz4 \(large.count)\n".utf8)))
        #expect(try await base.stored(named: "id")?.size == kept.count)
        #expect(try await store.stored(named: "id")?.size == kept.count)
    }

    @Test func whatIsThereIsReadWhateverMadeIt() async throws {
        let reading = base.compressed(with: ZlibCompressor(), reading: LZ4Compressor())
        _ = try await base.store(large, completionID: "id")
        #expect(try await load(reading) == large)
        _ = try await base.compressed(with: LZ4Compressor()).store(large, completionID: "id")
        #expect(try await load(reading) == large)
        await #expect(throws: ContentFormatError.self) { try await load(base.compressed(with: ZlibCompressor())) }
        _ = try await reading.store(large, completionID: "id")
        #expect(try await load(reading) == large)
    }

    @Test func whatLooksLikeAHeaderComesBackAsItWas() async throws {
        let store = base.compressed(with: LZ4Compressor())
        for text in [
            "dramatiq-workflow ", "dramatiq-workflow 1 lz4 3\nabc", "dramatiq-workflow 1 none 0\n", "dramatiq", "",
        ] {
            _ = try await store.store(Array(text.utf8), completionID: "id")
            #expect(try await load(store) == Array(text.utf8))
        }
    }

    @Test func hostileBytesAreErrors() async throws {
        let bomb = try LZ4Compressor().compress(Array(repeating: 0, count: 40 << 20))
        #expect(try await code("dramatiq-workflow 1 lz4 \(40 << 20)\n", bomb) == .tooLarge)
        #expect(try await code("dramatiq-workflow 1 lz4 \(Int.max)\n", bomb) == .tooLarge)
        #expect(try await code("dramatiq-workflow 1 lz4 100\n", bomb) == .corrupt)
        #expect(try await code("dramatiq-workflow 1 lz4 7\n", [1, 2, 3]) == .corrupt)
        #expect(try await code("dramatiq-workflow 1 gzip 7\n", [1, 2, 3]) == .unknownCodec)
        #expect(try await code("dramatiq-workflow 2 lz4 7\n", [1, 2, 3]) == .unknownVersion)
        #expect(try await code("dramatiq-workflow 1 none 4\nabc") == .corrupt)
        #expect(try await code("dramatiq-workflow 1 none -1\nabc") == .corrupt)
        #expect(try await code("dramatiq-workflow 1 none 3 3\nabc") == .corrupt)
        #expect(try await code("dramatiq-workflow ") == .corrupt)
        #expect(try await code("dramatiq-workflow " + String(repeating: "x", count: 1000)) == .corrupt)
        #expect(try await code("dramatiq-workflow 1 none 3\nabc") == nil)
    }

    /// Bytes of any kind after what begins as a header.
    @Test func damagedBytesAreErrorsOrContents() async throws {
        let seed = TestSeed.first(1)[0]
        var generator = seed.generator
        _ = try await base.compressed(with: LZ4Compressor()).store(large, completionID: "id")
        let kept = try #require(try await base.content(named: "id"))
        for _ in 0..<2000 {
            let length = Int.random(in: 0...kept.count, using: &generator)
            var bytes = Array(kept.prefix(length))
            for _ in 0..<Int.random(in: 0...3, using: &generator) where !bytes.isEmpty {
                bytes[Int.random(in: 0..<min(60, bytes.count), using: &generator)] = .random(
                    in: 0...255, using: &generator)
            }
            _ = try await base.store(bytes, completionID: "id")
            do {
                _ = try await load(base.compressed(with: LZ4Compressor()))
            } catch {
                #expect(error is ContentFormatError, "\(seed)")
            }
        }
    }

    @Test func whatIsTooLargeIsNotStored() async throws {
        let store = base.compressed(with: LZ4Compressor(), maxSize: large.count)
        _ = try await store.store(large, completionID: "id")
        #expect(try await load(store) == large)
        let error = await #expect(throws: ContentFormatError.self) {
            try await store.store(large + [0], completionID: "id")
        }
        #expect(error?.code == .tooLarge)
        let smaller = base.compressed(with: LZ4Compressor(), maxSize: large.count - 1)
        await #expect(throws: ContentFormatError.self) { try await load(smaller) }
        _ = try await base.store(large, completionID: "id")
        await #expect(throws: ContentFormatError.self) { try await load(smaller) }
    }
}
