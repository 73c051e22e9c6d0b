import Dramatiq
import DramatiqLZ4
import DramatiqWorkflow
import Foundation
import Synchronization
import TestSupport
import Testing

@testable import DramatiqFileStorage

/// What a look at all of a directory finds besides damaged contents.
@Suite(.timeLimit(.minutes(10))) struct VerificationTests {
    private let scratch: ScratchDirectory

    init() throws {
        scratch = try ScratchDirectory()
    }

    enum Kind: CaseIterable, Sendable {
        case pipe, socket, link, danglingLink, directory
    }

    private func make(_ kind: Kind, at path: String) throws {
        switch kind {
        case .pipe: #expect(mkfifo(path, 0o600) == 0)
        case .socket: try makeSocket(at: path)
        case .link: try FileManager.default.createSymbolicLink(atPath: path, withDestinationPath: "/etc/hostname")
        case .danglingLink: try FileManager.default.createSymbolicLink(atPath: path, withDestinationPath: "/nowhere")
        case .directory: try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
        }
    }

    /// A socket's own path may be short, so it is made elsewhere.
    private func makeSocket(at path: String) throws {
        let short = "/tmp/\(UInt32.random(in: .min ... .max)).socket"
        #if canImport(Darwin)
            let descriptor = socket(AF_UNIX, SOCK_STREAM, 0)
        #else
            let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        #endif
        defer { close(descriptor) }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: short.utf8) }
        let result = withUnsafePointer(to: &address) { address in
            address.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        #expect(result == 0)
        #expect(rename(short, path) == 0)
    }

    /// At a content's place, under another name, and where the lock should be.
    @Test(arguments: Kind.allCases)
    func whatIsNoFileIsReported(kind: Kind) async throws {
        let store = FileWorkflowStore(directory: scratch.storage, durability: .processFailure)
        for number in 0..<3 { _ = try await store.store(Array("content \(number)".utf8), completionID: "a") }
        let path = try #require(scratch.contents.first)
        let leaf = (path as NSString).deletingLastPathComponent
        let others = scratch.contents.count - 1
        let places = [path, leaf + "/something", leaf + "/" + ContentFiles.temporaryPrefix + "1-a", leaf + "/.lock"]
        for place in places {
            try? FileManager.default.removeItem(atPath: place)
            try make(kind, at: place)
        }
        let report = try await store.directory.verify()
        #expect(report.intact == others)
        #expect(report.problemCount == places.count)
        #expect(Set(report.problems.map(\.place)) == Set(places))
        #expect(report.problems.allSatisfy { $0.code == "unusable" })
        // Nothing touches them.
        _ = try await store.directory.sweep(olderThan: .zero)
        #expect(try await store.directory.statistics().foreignCount == places.count)
    }

    // MARK: Memory

    /// Makes little of anything and counts how often it is asked to undo that.
    private final class Bomb: Compressor {
        let name = "bomb"
        let opened = Atomic(0)

        func recognizes(_ bytes: [UInt8]) -> Bool { false }

        func compress(_ bytes: [UInt8]) throws -> [UInt8] { [7] }

        func decompress(_ bytes: [UInt8], maxSize: Int) throws(DecodeError) -> [UInt8] {
            opened.add(1, ordering: .relaxed)
            return Array(repeating: 0, count: maxSize)
        }
    }

    private func write(_ header: String, _ payload: [UInt8], for content: [UInt8]) throws -> (JSONValue, String) {
        let digest = ContentDigest(of: content)
        let path = StorageDirectory(scratch.storage).files.places.path(of: digest)
        try FileManager.default.createDirectory(
            atPath: (path as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
        try ScratchDirectory.write(Array(header.utf8) + payload, path)
        return (digest.jsonValue, path)
    }

    /// A real content, to the byte what its name says: only its size is against it.
    @Test func aFileThatUnpacksToVeryMuchIsNotUnpacked() async throws {
        let size = 48 << 20
        let content = [UInt8](repeating: 0, count: size)
        let bomb = Bomb()
        let store = FileWorkflowStore(StorageDirectory(scratch.storage, readableCompressors: [bomb]))
        let payload = [UInt8](repeating: 7, count: 204_000)
        let (reference, path) = try write("dramatiq-workflow 1 bomb \(size)\n", payload, for: content)
        let error = await #expect(throws: FileStorageError.self) {
            _ = try await store.load(reference, completionID: "a")
        }
        #expect(error?.code == .tooLarge)
        #expect(error?.path == path)
        #expect(error?.reason.contains("204000") == true)
        let report = try await store.directory.verify()
        #expect(report.problems.map(\.code) == ["tooLarge"])
        #expect(bomb.opened.load(ordering: .relaxed) == 0)
        // What is up to 16 MiB is looked into whatever its ratio.
        let small = [UInt8](repeating: 0, count: 16 << 20)
        let (known, _) = try write("dramatiq-workflow 1 bomb \(small.count)\n", [7], for: small)
        #expect(try await store.load(known, completionID: "a") == small)
        #expect(bomb.opened.load(ordering: .relaxed) == 1)
    }

    /// What would not be read again because it shrinks so well is stored as it is.
    @Test func whateverIsStoredCanBeLoaded() async throws {
        let store = FileWorkflowStore(
            StorageDirectory(scratch.storage, durability: .processFailure, compressor: LZ4Compressor()))
        for size in [16 << 20, 17 << 20, StorageDirectory.defaultMaxSize] {
            let content = [UInt8](repeating: 7, count: size)
            let reference = try await store.store(content, completionID: "a")
            #expect(try await store.load(reference, completionID: "a") == content)
        }
        #expect(try await store.directory.verify().intact == 3)
        let error = await #expect(throws: FileStorageError.self) {
            _ = try await store.store(
                [UInt8](repeating: 7, count: StorageDirectory.defaultMaxSize + 1), completionID: "a")
        }
        #expect(error?.code == .tooLarge)
    }

    @Test func noLimitIsTooLarge() async throws {
        let store = FileWorkflowStore(
            StorageDirectory(
                scratch.storage, durability: .processFailure, maxSize: .max, lockTimeout: .seconds(Int64.max)))
        let reference = try await store.store([1, 2, 3], completionID: "a")
        #expect(try await store.load(reference, completionID: "a") == [1, 2, 3])
        #expect(try await store.store([1, 2, 3], completionID: "a") == reference)
    }
}
