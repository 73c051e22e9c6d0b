import Dramatiq
import DramatiqDedupStorage
import DramatiqWorkflow
import Foundation
import TestSupport
import Testing

@testable import DramatiqFileStorage

/// What can be wrong with a disk and with rights, for real.
@Suite(.timeLimit(.minutes(10)), .serialized) struct DiskFaultTests {
    private let scratch: ScratchDirectory
    /// The user without rights that a process becomes which is started by root; others keep their own.
    private let user = geteuid() == 0 ? ["--user", "65534"] : []

    init() throws {
        scratch = try ScratchDirectory()
    }

    private func attempt(_ arguments: String...) async throws -> String {
        try await StressProcess.run(["attempt", scratch.storage] + arguments, in: scratch)
    }

    // MARK: Full

    @Test func aFullDiskIsAnErrorAndNothingIsLost() async throws {
        guard let disk = try SmallDisk(scratch, size: 512 << 10) else {
            // Not allowed to mount: the limit that every process can set itself does the same.
            return try await aLimitOfFileSizesIsAnError()
        }
        let store = FileWorkflowStore(directory: disk.path)
        var references: [JSONValue: [UInt8]] = [:]
        let error = await #expect(throws: FileStorageError.self) {
            for number in 0..<100 {
                let content = Array(repeating: UInt8(number), count: 20_000)
                references[try await store.store(content, completionID: "a")] = content
            }
        }
        #expect(error?.code == .noSpace)
        #expect(error?.path.hasPrefix(disk.path) == true)
        #expect(references.count > 5)
        for (reference, content) in references {
            try await #expect(store.load(reference, completionID: "a") == content)
        }
        let statistics = try await store.directory.statistics()
        #expect(statistics.count == references.count)
        #expect(statistics.temporaryCount == 0)
        #expect(statistics.foreignCount == 0)
        try await workflowsDoNotStartHalf(FileCallbackStorage(store.directory, inlineLimit: 0))
        try await workflowsDoNotStartHalf(DedupCallbackStorage(store, inlineLimit: 0))
    }

    /// Nothing of a workflow is sent when a part of it can't be stored.
    private func workflowsDoNotStartHalf(_ storage: any CallbackStorage) async throws {
        let stage = try await Stage(storage: storage)
        let m = stage.task.message
        let workflow = Workflow(broker: stage.broker) {
            Group {
                m("first")
                Chain {
                    Group { for _ in 0..<10 { m("member") } }
                    Group { for _ in 0..<2_000 { m("does not fit on the disk") } }
                }
            }
        }
        let error = await #expect(throws: FileStorageError.self) { try await workflow.run() }
        #expect(error?.code == .noSpace)
        #expect(stage.transport.unfinishedCount(queues: ["default"]) == 0)
        #expect(stage.backend.keyCount == 0)
    }

    @Test func aLimitOfFileSizesIsAnError() async throws {
        let output = try await attempt("--store", "50000", "--file-size-limit", "8192")
        #expect(output.hasPrefix("noSpace Can't store '\(scratch.storage)/"))
        try await #expect(attempt("--store", "5000", "--file-size-limit", "8192") == "ok\n")
        let statistics = try await StorageDirectory(scratch.storage).statistics()
        #expect(statistics.count == 1)
        #expect(statistics.temporaryCount == 0)
    }

    // MARK: Rights

    @Test func aReadOnlyDiskCanBeReadAndIsAnErrorToWriteTo() async throws {
        guard let disk = try SmallDisk(scratch, size: 4 << 20) else {
            return try await aDirectoryThatMayNotBeWritten()
        }
        let store = FileWorkflowStore(directory: disk.path)
        let reference = try await store.store([1, 2, 3], completionID: "a")
        // So old that reading would renew it.
        let file = store.directory.files.places.path(of: ContentDigest(of: [1, 2, 3]))
        try ScratchDirectory.age(file, by: .seconds(7200))
        #expect(disk.makeReadOnly())
        try await #expect(store.load(reference, completionID: "a") == [1, 2, 3])
        for content in [[1, 2, 3], [4, 5, 6]] as [[UInt8]] {
            let error = await #expect(throws: FileStorageError.self) {
                _ = try await store.store(content, completionID: "a")
            }
            #expect(error?.code == .readOnly)
        }
        let sweep = try await store.directory.sweep(olderThan: .zero)
        #expect(sweep.removed == 0)
        #expect(sweep.failures.map(\.code) == ["readOnly"])
        try await #expect(store.directory.sweep(olderThan: .zero, isDryRun: true).removed == 1)
    }

    @Test func aDirectoryThatMayNotBeWritten() async throws {
        try FileManager.default.createDirectory(atPath: scratch.storage, withIntermediateDirectories: false)
        #expect(chmod(scratch.storage, 0o555) == 0)
        let output = try await run(["--store", "100"] + user)
        #expect(output.hasPrefix("permissionDenied Can't store '\(scratch.storage)/"))
        #expect(chmod(scratch.storage, 0o777) == 0)
        try await #expect(run(["--store", "100"] + user) == "ok\n")
    }

    @Test func whatMayNotBeReadIsNamedAndCanBeReadAgain() async throws {
        let store = FileWorkflowStore(directory: scratch.storage)
        let reference = try #require(try await store.store([1, 2, 3], completionID: "a").stringValue)
        let file = try #require(scratch.contents.first)
        // As an earlier version made them, for the user that root becomes.
        try openDirectories()
        #expect(chmod(file, 0o000) == 0)
        let output = try await run(["--load", reference] + user)
        #expect(output == "permissionDenied Can't load '\(file)': Permission denied\n")
        #expect(chmod(file, 0o444) == 0)
        try await #expect(run(["--load", reference] + user) == "ok\n")
        #expect(chmod(scratch.storage, 0o000) == 0)
        let directoryOutput = try await run(["--load", reference] + user)
        #expect(directoryOutput == "permissionDenied Can't load '\(file)': Permission denied\n")
        #expect(chmod(scratch.storage, 0o755) == 0)
    }

    @Test func anothersFileThatCannotBeRenewedIsReplaced() async throws {
        let store = FileWorkflowStore(directory: scratch.storage)
        _ = try await store.store(Array(repeating: 7, count: 100), completionID: "a")
        let file = try #require(scratch.contents.first)
        // Everybody may add and replace files, and only the owner may touch this one.
        for name in scratch.files where !name.hasSuffix(String(file.suffix(64))) {
            #expect(chmod(scratch.storage + "/" + name, 0o777) == 0)
        }
        #expect(chmod(file, 0o444) == 0)
        #expect(chmod(scratch.storage, 0o777) == 0)
        try ScratchDirectory.age(file, by: .seconds(100 * 86_400))
        try await #expect(run(["--store", "100"] + user) == "ok\n")
        try await #expect(store.directory.sweep().kept == 1)
    }

    private func openDirectories() throws {
        for path in [scratch.storage] + scratch.files.map({ scratch.storage + "/" + $0 }) {
            var isDirectory: ObjCBool = false
            if FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory), isDirectory.boolValue {
                #expect(chmod(path, 0o755) == 0)
            }
        }
    }

    private func run(_ arguments: [String]) async throws -> String {
        try await StressProcess.run(["attempt", scratch.storage] + arguments, in: scratch)
    }
}
