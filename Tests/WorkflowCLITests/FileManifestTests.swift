import Dramatiq
import DramatiqWorkflow
import Foundation
import Testing

@testable import CommandLineSupport
@testable import WorkflowDemo

@Suite struct FileManifestTests {
    private static let nastyNames = [
        "plain.txt", "with space", " leading", "trailing ", "new\nline", "back\\slash", "both\\\n", "return\r", "tab\t",
        "-", "--check", "*star", "#hash", "quote'\"", "\u{1B}[31mred", "\u{E9}", "日本", "sub\ndirectory/deep\\er/file",
        ".hidden", "SHA256 (x) = y", String(repeating: "n", count: 255),
    ]

    private func run(
        _ input: TemporaryDirectory,
        output: FilePath,
        recorder: EventRecorder = EventRecorder(),
        beforeVerification: @escaping @Sendable () async throws -> Void = {}
    ) async throws -> FileManifestDemo.Summary {
        let places = try FilePlaces(input: input.path, output: output)
        return try await FileManifestDemo(places: places, concurrency: 4)
            .run(recorder: recorder, beforeVerification: beforeVerification)
    }

    private func fillWithNastyFiles(_ directory: TemporaryDirectory) throws -> Int {
        for (index, name) in Self.nastyNames.enumerated() {
            try directory.write(Array(repeating: UInt8(index), count: index * 9000), name)
        }
        #if os(Linux)
            // Other systems insist on UTF-8, or take the first for another spelling of a name above.
            try directory.write([1], at: FilePath("e\u{301}"))
            try directory.write([2], at: FilePath(bytes: [0xFF, 0xFE]))
            return Self.nastyNames.count + 2
        #else
            return Self.nastyNames.count
        #endif
    }

    @Test(.enabled(if: Checksums.areAvailable)) func theToolAcceptsTheManifest() async throws {
        let input = try TemporaryDirectory()
        let count = try fillWithNastyFiles(input)
        // Inside of the directory, and there from an earlier run.
        try input.write([1], "manifest.sha256")
        try input.write([1], "manifest.sha256.sizes.tsv")
        let summary = try await run(input, output: input.path.appending(FilePath("manifest.sha256")))
        #expect(summary.fileCount == count)
        #expect(summary.skippedCount == 0)
        let output = try await Checksums.run(["--strict", "--check", "manifest.sha256"], in: input)
        #expect(output.status == 0, "\(output.text)")
        #expect(!output.text.contains("FAILED") && !output.text.contains("WARNING"))
        let rows = try input.read("manifest.sha256.sizes.tsv").split(separator: UInt8(ascii: "\n"))
        #expect(rows.count == count + 1)
    }

    @Test func anEmptyDirectory() async throws {
        let input = try TemporaryDirectory()
        let output = try TemporaryDirectory()
        let summary = try await run(input, output: output.path.appending(FilePath("manifest")))
        #expect(summary == FileManifestDemo.Summary(fileCount: 0, skippedCount: 0, size: 0, compressedSize: 0))
        #expect(try output.read("manifest") == [])
    }

    @Test func aFileThatIsTamperedWithIsFound() async throws {
        let input = try TemporaryDirectory()
        let output = try TemporaryDirectory()
        for name in ["a", "b", "c"] { try input.write(Array(name.utf8), name) }
        let error = await #expect(throws: DemoFailure.self) {
            try await run(input, output: output.path.appending(FilePath("manifest"))) {
                try input.write(Array("B".utf8), "b")
                try input.remove("c")
            }
        }
        guard case .manifestMismatch(_, let differences)? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(differences.count == 2)
        #expect(differences.contains { $0.hasPrefix("'b' has the hash") })
        #expect(differences.contains { $0.hasPrefix("Can't read '\(input.path)/c'") })
    }

    @Test func aManifestThatIsTamperedWithIsFound() async throws {
        let input = try TemporaryDirectory()
        let output = try TemporaryDirectory()
        for name in ["a", "b"] { try input.write(Array(name.utf8), name) }
        let error = await #expect(throws: DemoFailure.self) {
            try await run(input, output: output.path.appending(FilePath("manifest"))) {
                let lines = try output.read("manifest").split(separator: UInt8(ascii: "\n"))
                try output.write(Array(lines[1]) + [UInt8(ascii: "\n")], "manifest")
            }
        }
        guard case .manifestMismatch(_, ["'a' is not listed"])? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
    }

    /// A file that is gone when its task runs: tried again, then named, and nobody waits for ever.
    @Test func aFileThatVanishes() async throws {
        let input = try TemporaryDirectory()
        try input.write([1], "there")
        let output = try TemporaryDirectory()
        let places = try FilePlaces(input: input.path, output: output.path.appending(FilePath("manifest")))
        let recorder = EventRecorder(keepsHistory: true)
        let session = try EmbeddedSession(recorder: recorder, concurrency: 4)
        let tasks = FileTasks(places: places, results: FileResults(), recorder: recorder, broker: session.broker)
        try await session.broker.declare(tasks.checksum, tasks.compressedSize, tasks.writeManifest)
        let error = await #expect(throws: DemoFailure.self) {
            try await session.run {
                try await Workflow(broker: session.broker) {
                    Chain {
                        Group {
                            for name in ["there", "gone"] {
                                Chain {
                                    tasks.checksum.message(name)
                                    tasks.compressedSize.message(name)
                                }
                            }
                        }
                        tasks.writeManifest.message()
                    }
                }.run()
                try await session.waitForTasks()
            }
        }
        guard case .tasksFailed(let failures)? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(failures.count == 1)
        #expect(failures[0].contains("'\(input.path)/gone'") && failures[0].contains("after 3 retries"))
        let retries = recorder.history.count { if case .taskRetried = $0.kind { true } else { false } }
        #expect(retries == 3)
        #expect(try output.names == [])
    }

    @Test func placesThatCannotBeUsed() throws {
        let directory = try TemporaryDirectory()
        try directory.write([], "file")
        let file = directory.path.appending(FilePath("file"))
        let missing = directory.path.appending(FilePath("missing"))
        #expect(throws: FileError.self) { try FilePlaces(input: missing, output: nil) }
        #expect(throws: FileError.self) { try FilePlaces(input: file, output: nil) }
        #expect(throws: FileError.self) { try FilePlaces(input: directory.path, output: directory.path) }
        #expect(throws: FileError.self) {
            try FilePlaces(input: directory.path, output: missing.appending(FilePath("manifest")))
        }
        let error = #expect(throws: FileError.self) {
            try FilePlaces(input: directory.path, output: FilePath("/dev/null"))
        }
        #expect(error?.reason == .notRegularFile)
    }

    @Test func whatAnOutputLinksToIsWritten() throws {
        let directory = try TemporaryDirectory()
        try directory.write([], "file")
        try directory.link("link", to: "file")
        let places = try FilePlaces(input: directory.path, output: directory.path.appending(FilePath("link")))
        #expect(places.manifest == directory.path.appending(FilePath("file")))
    }

    @Test func theCommandToCheckIsQuoted() throws {
        let directory = try TemporaryDirectory()
        try directory.makeDirectory("it's here")
        let input = directory.path.appending(FilePath("it's here"))
        let places = try FilePlaces(input: input, output: directory.path.appending(FilePath("manifest")))
        #expect(
            places.checkCommand
                == "(cd '\(directory.path)/it'\\''s here' && sha256sum --strict -c \(directory.path)/manifest)")
    }
}
