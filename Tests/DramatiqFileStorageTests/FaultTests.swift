import Dramatiq
import DramatiqWorkflow
import Foundation
import TestSupport
import Testing

@testable import DramatiqFileStorage

/// What can be wrong with files: each has its error, and none makes a wrong content of it.
@Suite(.timeLimit(.minutes(10))) struct FaultTests {
    private let scratch: ScratchDirectory
    private let store: FileWorkflowStore
    private let workflow = Array(#"{"__type__":"chain","children":[]}"#.utf8)

    init() throws {
        scratch = try ScratchDirectory()
        store = FileWorkflowStore(directory: scratch.storage, durability: .processFailure)
    }

    private func stored(_ content: [UInt8]) async throws -> (reference: JSONValue, path: String) {
        let reference = try await store.store(content, completionID: "a")
        let digest = ContentDigest(of: content)
        return (reference, store.directory.files.places.path(of: digest))
    }

    /// The error of loading, which has to name the file.
    private func loadingError(_ reference: JSONValue, _ path: String) async -> FileStorageError.Code? {
        let error = await #expect(throws: FileStorageError.self) {
            _ = try await store.load(reference, completionID: "a")
        }
        #expect(error?.path == path)
        #expect(error?.description.hasPrefix("Can't load '\(path)': ") == true)
        return error?.code
    }

    // MARK: Content

    @Test func aFlippedBitIsFound() async throws {
        let (reference, path) = try await stored(workflow)
        let intact = try ScratchDirectory.read(path)
        let codes: Set<FileStorageError.Code> = [.corrupt, .unknownVersion, .unknownCodec, .tooLarge]
        for index in intact.indices {
            for bit in 0..<8 {
                var damaged = intact
                damaged[index] ^= 1 << bit
                try ScratchDirectory.write(damaged, path)
                let code = try #require(await loadingError(reference, path))
                #expect(codes.contains(code), "bit \(bit) of byte \(index)")
            }
        }
        try ScratchDirectory.write(intact, path)
        try await #expect(store.load(reference, completionID: "a") == workflow)
    }

    @Test func aFlippedBitInACompressedFileIsFound() async throws {
        let store = FileWorkflowStore(
            directory: scratch.storage, durability: .processFailure, compressor: RunLengthCompressor())
        let content = Array(repeating: UInt8(ascii: "x"), count: 1000)
        let reference = try await store.store(content, completionID: "a")
        let path = try #require(scratch.contents.first)
        let intact = try ScratchDirectory.read(path)
        for index in intact.indices {
            var damaged = intact
            damaged[index] ^= 4
            try ScratchDirectory.write(damaged, path)
            await #expect(throws: FileStorageError.self) { _ = try await store.load(reference, completionID: "a") }
        }
    }

    @Test func aFileThatWasCutOffOrHasGrownIsFound() async throws {
        let (reference, path) = try await stored(workflow)
        let intact = try ScratchDirectory.read(path)
        for length in 0..<intact.count {
            try ScratchDirectory.write(Array(intact.prefix(length)), path)
            #expect(await loadingError(reference, path) == .corrupt)
        }
        try ScratchDirectory.write(intact + [0], path)
        #expect(await loadingError(reference, path) == .corrupt)
    }

    @Test func swappedFilesAreFound() async throws {
        let (first, firstPath) = try await stored(Array("first".utf8))
        let (second, secondPath) = try await stored(Array("other".utf8))
        let (firstFile, secondFile) = (
            try ScratchDirectory.read(firstPath), try ScratchDirectory.read(secondPath)
        )
        try ScratchDirectory.write(secondFile, firstPath)
        try ScratchDirectory.write(firstFile, secondPath)
        #expect(await loadingError(first, firstPath) == .corrupt)
        #expect(await loadingError(second, secondPath) == .corrupt)
        let report = try await store.directory.verify()
        #expect(report.problemCount == 2)
        #expect(Set(report.problems.map(\.place)) == [firstPath, secondPath])
    }

    @Test func headersThatClaimMuchTakeNoMemory() async throws {
        let (reference, path) = try await stored(workflow)
        for (header, code) in [
            ("dramatiq-workflow 1 none 9223372036854775807\n", .tooLarge),
            ("dramatiq-workflow 1 none 99999999999999999999999\n", .corrupt),
            ("dramatiq-workflow 1 none -1\n", .corrupt),
            ("dramatiq-workflow 1 none\n", .corrupt),
            ("dramatiq-workflow 1 none 33 \n", .corrupt),
            ("dramatiq-workflow 1 lz5 33\n", .unknownCodec),
            ("dramatiq-workflow 2 something new\n", .unknownVersion),
            (String(repeating: "x", count: 200) + "\n", .corrupt),
            ("", .corrupt),
        ] as [(String, FileStorageError.Code)] {
            try ScratchDirectory.write(Array(header.utf8) + workflow, path)
            #expect(await loadingError(reference, path) == code, "\(header)")
        }
        // A large file with holes.
        let file = try FileHandle(forWritingTo: URL(filePath: path))
        try file.truncate(atOffset: 1 << 40)
        try file.close()
        #expect(await loadingError(reference, path) == .tooLarge)
    }

    @Test func aMissingFileIsNamed() async throws {
        let (reference, path) = try await stored(workflow)
        try FileManager.default.removeItem(atPath: path)
        #expect(await loadingError(reference, path) == .missing)
        try FileManager.default.removeItem(atPath: scratch.storage)
        #expect(await loadingError(reference, path) == .missing)
    }

    // MARK: What isn't a file

    @Test(arguments: ["link", "dangling link", "directory", "pipe"])
    func whatIsNotAFileIsNotRead(kind: String) async throws {
        let (reference, path) = try await stored(workflow)
        let elsewhere = scratch.path + "/elsewhere"
        try FileManager.default.moveItem(atPath: path, toPath: elsewhere)
        switch kind {
        case "link": try FileManager.default.createSymbolicLink(atPath: path, withDestinationPath: elsewhere)
        case "dangling link": try FileManager.default.createSymbolicLink(atPath: path, withDestinationPath: "/nowhere")
        case "directory": try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
        default: #expect(mkfifo(path, 0o600) == 0)
        }
        #expect(await loadingError(reference, path) == .unusable)
        // Storing puts a file in the place of all but a directory, and touches nothing elsewhere.
        let before = try ScratchDirectory.read(elsewhere)
        if kind == "directory" {
            let error = await #expect(throws: FileStorageError.self) {
                _ = try await store.store(workflow, completionID: "a")
            }
            #expect(error?.code == .unusable)
        } else {
            _ = try await store.store(workflow, completionID: "a")
            try await #expect(store.load(reference, completionID: "a") == workflow)
        }
        try #expect(ScratchDirectory.read(elsewhere) == before)
        #expect(!scratch.files.contains { $0.contains(ContentFiles.temporaryPrefix) })
    }

    @Test(arguments: [1, 2])
    func directoriesBelowTheOutermostAreNotFollowedElsewhere(levels: Int) async throws {
        let (reference, path) = try await stored(workflow)
        let directory = (0..<levels).reduce(path) { path, _ in (path as NSString).deletingLastPathComponent }
        let elsewhere = scratch.path + "/elsewhere"
        try FileManager.default.moveItem(atPath: directory, toPath: elsewhere)
        try FileManager.default.createSymbolicLink(atPath: directory, withDestinationPath: elsewhere)
        #expect(await loadingError(reference, path) == .unusable)
        let error = await #expect(throws: FileStorageError.self) {
            _ = try await store.store(workflow, completionID: "a")
        }
        #expect(error?.code == .unusable)
        let sweep = try await store.directory.sweep(olderThan: .zero)
        #expect(sweep.removed == 0)
        #expect(sweep.failures.map(\.code) == ["unusable"])
        #expect(
            FileManager.default.subpaths(atPath: elsewhere)?.contains { $0.hasSuffix(String(path.suffix(64))) } == true)
    }

    @Test func aDamagedFileIsReplacedWhenItsContentIsStoredAgain() async throws {
        let (reference, path) = try await stored(workflow)
        for damage in [[], Array("nonsense".utf8)] as [[UInt8]] {
            try ScratchDirectory.write(damage, path)
            _ = try await store.store(workflow, completionID: "a")
            try await #expect(store.load(reference, completionID: "a") == workflow)
        }
    }

    // MARK: References

    private static let digest = String(repeating: "ab", count: 32)

    private static let hostile: [String] = {
        let short = String(digest.dropLast())
        let places = [
            "", "../../../../etc/passwd", "/etc/passwd", digest.uppercased(), digest + "0", short, " " + short,
            digest + "\n", short + "\0", "\0" + digest, digest.dropLast(2) + "..", "../" + digest.dropLast(3),
            short + "/",
            short + "g",
            // Digits, but others: full-width, Arabic, and one with an accent.
            short + "\u{FF11}", short + "\u{0661}", short + "a\u{0301}", String(repeating: "a", count: 1_000_000),
        ]
        return places.map { "sha256:" + $0 } + [
            "", "sha256", digest, "SHA256:" + digest, "../" + digest, "/etc/passwd",
        ]
    }()

    @Test(arguments: hostile.indices)
    func aReferenceIsADigestAndNothingElse(index: Int) async throws {
        let reference = JSONValue.string(Self.hostile[index])
        await #expect(throws: WorkflowError.self) { _ = try await store.load(reference, completionID: "a") }
        await #expect(throws: WorkflowError.self) { try await store.refresh(reference, completionID: "a") }
        let message: JSONValue = ["__type__": "stored", "by": "file", "version": 1, "at": reference]
        let storage = FileCallbackStorage(store.directory, inlineLimit: 0, cache: WorkflowCache(maxSize: 0))
        await #expect(throws: WorkflowError.self) { _ = try await storage.retrieve(message) }
        await #expect(throws: WorkflowError.self) {
            _ = try await storage.retrieve([["id", message, false]])[0].remaining?.load()
        }
    }

    @Test(arguments: HostilePlace.all)
    func callbacksWithAnyTextAreReadOrAnError(place: HostilePlace) async throws {
        let storage = FileCallbackStorage(store.directory, inlineLimit: 0, cache: WorkflowCache(maxSize: 0))
        for text in HostileText.all where text.isCostly {
            let bytes = place.message(text.text(bytes: 64 << 10))
            guard let message = try? JSONMessageEncoder().decode(bytes),
                let callbacks = message.options["workflow_completion_callbacks"]
            else { continue }
            _ = try? await storage.retrieve(callbacks)
            _ = try? await storage.refresh(callbacks, for: .seconds(1))
            _ = try? await storage.store(CallbackFormat.read(callbacks))
        }
    }

    @Test(arguments: [
        #"null"#, #"7"#, #"["sha256:x"]"#, #"{"sha256":"x"}"#, #""sha256:\ud800""#,
    ])
    func aReferenceIsAString(json: String) async throws {
        let reference = try JSONValue(parsing: json)
        await #expect(throws: WorkflowError.self) { _ = try await store.load(reference, completionID: "a") }
    }

    @Test func callbacksOfAnotherShapeAreErrors() async throws {
        let storage = FileCallbackStorage(store.directory, inlineLimit: 0, cache: WorkflowCache(maxSize: 0))
        for content in ["{}", "[1]", #"[["a",null]]"#, "not JSON", "", #"[["a",{"__type__":"stored"},true]]"#] {
            let (place, _) = try await stored(Array(content.utf8))
            let message: JSONValue = ["__type__": "stored", "by": "file", "version": 1, "at": place]
            let error = await #expect(throws: (any Error).self) { _ = try await storage.retrieve(message) }
            #expect(error is any PermanentError)
        }
        // A workflow where callbacks should be.
        let (place, _) = try await stored(workflow)
        let message: JSONValue = ["__type__": "stored", "by": "file", "version": 1, "at": place]
        await #expect(throws: WorkflowError.self) { _ = try await storage.retrieve(message) }
    }
}
