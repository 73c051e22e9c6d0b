import CZlib
import Foundation
import Testing

@testable import CommandLineSupport
@testable import WorkflowDemo

@Suite struct FilePathTests {
    @Test func argumentsKeepEveryByte() {
        for path in [FilePath("a/b"), FilePath("\\%é"), FilePath("e\u{301}"), FilePath(bytes: [0xFF, 0x41, 0xC3])] {
            #expect(FilePath(argument: path.argument) == path)
        }
        #expect(FilePath(argument: "\0zz") == nil)
    }

    @Test func namesThatLookTheSameDiffer() {
        #expect(FilePath("\u{E9}") != FilePath("e\u{301}"))
    }

    @Test func parts() {
        #expect(FilePath("/a/b").parent == FilePath("/a"))
        #expect(FilePath("/a").parent == FilePath("/"))
        #expect(FilePath("a").parent == FilePath("."))
        #expect(FilePath("a/b").name == FilePath("b"))
        #expect(FilePath("/").appending(FilePath("a")) == FilePath("/a"))
        #expect(FilePath("").appending(FilePath("a")) == FilePath("a"))
        #expect(FilePath("a").appending(FilePath("")) == FilePath("a"))
    }

    @Test func descriptionsDontReachTheTerminal() {
        #expect("\(FilePath("\u{1B}[31m\n\u{202E}é"))" == "\\u{1B}[31m\\n\\u{202E}é")
    }
}

@Suite struct FileTreeTests {
    private func tree(_ directory: TemporaryDirectory, excluding: Set<FileTree.Place> = []) async throws -> FileTree {
        try await BlockingWork.run { try FileTree(of: directory.path, excluding: excluding, $0) }
    }

    @Test func listsRegularFilesInOrder() async throws {
        let directory = try TemporaryDirectory()
        for name in ["b", "a/z", "a.txt", "é", ".hidden", "a/b/c/d"] { try directory.write([1, 2], name) }
        try directory.makeDirectory("empty")
        try directory.link("link", to: "b")
        try directory.link("loop", to: ".")
        let tree = try await tree(directory)
        #expect(tree.files.map { "\($0.path)" } == [".hidden", "a.txt", "a/b/c/d", "a/z", "b", "é"])
        #expect(tree.totalSize == 12)
        #expect(tree.skipped.isEmpty)
    }

    @Test func leavesOutWhatItIsTold() async throws {
        let directory = try TemporaryDirectory()
        try directory.write([], "manifest")
        try directory.write([], "sub/manifest")
        let place = FileTree.Place(
            directory: FileIdentity(try directory.path.status()), name: FilePath("manifest"))
        #expect(try await tree(directory, excluding: [place]).files.map(\.path) == [FilePath("sub/manifest")])
    }

    @Test(.enabled(if: geteuid() != 0, "root may read everything")) func reportsWhatCannotBeRead() async throws {
        let directory = try TemporaryDirectory()
        try directory.write([], "file")
        try directory.write([], "locked")
        let locked = directory.location.appending(path: "locked").path
        try FileManager.default.setAttributes([.posixPermissions: 0], ofItemAtPath: locked)
        let tree = try await tree(directory)
        #expect(tree.files.map(\.path) == [FilePath("file")])
        #expect(tree.skipped.map(\.path) == [FilePath("locked")])
    }

    @Test func missingDirectory() async throws {
        let missing = FilePath("/nonexistent/\(UUID())")
        await #expect(throws: FileError.self) { try await BlockingWork.run { try FileTree(of: missing, $0) } }
    }
}

@Suite struct FileMeasurementTests {
    @Test(arguments: [0, 1, 65_536, 65_537, 200_000]) func compressedSizeIsThatOfAZlibStream(_ count: Int) async throws
    {
        let directory = try TemporaryDirectory()
        try directory.write(Array(repeating: 7, count: count), "file")
        let size = try await BlockingWork.run { cancellation in
            let stamp = try FileMeasurement.checksum(of: FilePath("file"), in: directory.path, cancellation).stamp
            return try FileMeasurement.compressedSize(
                of: FilePath("file"), in: directory.path, expecting: stamp, cancellation)
        }
        // Not all zlibs compress the same in pieces as at once, but almost.
        #expect(abs(size - Self.compressed(count: count)) <= 16)
    }

    /// What zlib makes of as many equal bytes, all at once.
    private static func compressed(count: Int) -> Int {
        var size = compressBound(uLong(count))
        var output = [UInt8](repeating: 0, count: Int(size))
        let input = [UInt8](repeating: 7, count: count)
        #expect(compress(&output, &size, input, uLong(count)) == Z_OK)
        return Int(size)
    }

    @Test func aFileThatChangedSinceItWasHashed() async throws {
        let directory = try TemporaryDirectory()
        try directory.write([1], "file")
        let stamp = try await BlockingWork.run {
            try FileMeasurement.checksum(of: FilePath("file"), in: directory.path, $0).stamp
        }
        try directory.write([1, 2], "file")
        let error = await #expect(throws: FileError.self) {
            try await BlockingWork.run {
                try FileMeasurement.compressedSize(
                    of: FilePath("file"), in: directory.path, expecting: stamp, $0)
            }
        }
        #expect(error?.reason == .changedMeanwhile)
    }

    @Test func neitherLinksNorDirectoriesAreRead() async throws {
        let directory = try TemporaryDirectory()
        try directory.write([1], "file")
        try directory.link("link", to: "file")
        try directory.makeDirectory("directory")
        for name in ["link", "directory", "missing"] {
            await #expect(throws: FileError.self) {
                try await BlockingWork.run {
                    try FileMeasurement.checksum(of: FilePath(name), in: directory.path, $0).digest
                }
            }
        }
    }

    @Test func readingEndsWhenItsTaskIsCancelled() async throws {
        let directory = try TemporaryDirectory()
        try directory.write(Array(repeating: 0, count: 1 << 20), "file")
        let task = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            return try await BlockingWork.run {
                try FileMeasurement.checksum(of: FilePath("file"), in: directory.path, $0).digest
            }
        }
        await #expect(throws: CancellationError.self) { try await task.value }
    }
}

@Suite struct AtomicFileTests {
    @Test func replacesAndLeavesNothingElse() async throws {
        let directory = try TemporaryDirectory()
        try directory.write([1, 2, 3], "file")
        try await BlockingWork.run { _ in
            try AtomicFile.write([4], to: directory.path.appending(FilePath("file")))
        }
        #expect(try directory.read("file") == [4])
        #expect(try directory.names == ["file"])
    }

    @Test func failureLeavesNothing() async throws {
        let directory = try TemporaryDirectory()
        try directory.makeDirectory("taken/by")
        await #expect(throws: FileError.self) {
            try await BlockingWork.run { _ in
                try AtomicFile.write([4], to: directory.path.appending(FilePath("taken")))
            }
        }
        #expect(try directory.names == ["taken"])
    }
}
