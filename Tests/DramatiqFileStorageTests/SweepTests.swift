import Dramatiq
import DramatiqWorkflow
import Foundation
import Logging
import ServiceLifecycle
import ServiceLifecycleTestKit
import TestSupport
import Testing

@testable import DramatiqFileStorage

@Suite(.timeLimit(.minutes(10))) struct SweepTests {
    private let scratch: ScratchDirectory
    private let store: FileWorkflowStore
    private var directory: StorageDirectory { store.directory }

    init() throws {
        scratch = try ScratchDirectory()
        store = FileWorkflowStore(directory: scratch.storage)
    }

    private func path(_ reference: JSONValue) -> String {
        let digest = (reference.stringValue ?? "").dropFirst("sha256:".count)
        return scratch.storage + "/\(digest.prefix(1))/\(digest.dropFirst().prefix(1))/\(digest)"
    }

    /// Stores a content as if it had been a time ago.
    private func stored(_ text: String, _ ago: Duration) async throws -> JSONValue {
        let reference = try await store.store(Array(text.utf8), completionID: "a")
        try ScratchDirectory.age(path(reference), by: ago)
        return reference
    }

    private func isThere(_ reference: JSONValue) -> Bool {
        FileManager.default.fileExists(atPath: path(reference))
    }

    @Test func theAgeIsTheSumOfWhatAMessageMayWaitFor() {
        let day = Duration.seconds(86_400)
        let retention = StorageRetention()
        #expect(retention.barrierTTL == day)
        #expect(retention.longestDelay == day * 7)
        #expect(retention.deadLetterTTL == day * 7)
        #expect(retention.age == day * 16)
        #expect(retention.age > retention.barrierTTL + retention.longestDelay + retention.deadLetterTTL)
        #expect(StorageRetention(barrierTTL: day * 30).age == day * 45)
        #expect(StorageDirectory("x", retention: StorageRetention(longestDelay: .zero)).retention.age == day * 16)
        #expect(StorageRetention(longestWait: .zero, longestDelay: .zero).age == day * 9)
        #expect(StorageRetention(longestWait: day * 60).age == day * 62)
    }

    @Test func onlyWhatIsOldGoes() async throws {
        let day = Duration.seconds(86_400)
        let old = try await stored("old", day * 16 + .seconds(3600))
        let young = try await stored("young", day * 16 - .seconds(3600))
        let report = try await directory.sweep()
        #expect(report.removed == 1)
        #expect(report.kept == 1)
        #expect(report.removedBytes == "dramatiq-workflow 1 none 3\nold".utf8.count)
        #expect(report.failures == [])
        #expect(!isThere(old))
        #expect(isThere(young))
        #expect(try await directory.sweep(olderThan: day).removed == 1)
        #expect(!isThere(young))
    }

    @Test func aDryRunOnlyCounts() async throws {
        let old = try await stored("old", .seconds(7200))
        let dry = try await directory.sweep(olderThan: .seconds(3600), isDryRun: true)
        #expect(dry.isDryRun)
        #expect(dry.removed == 1)
        #expect(isThere(old))
        let wet = try await directory.sweep(olderThan: .seconds(3600))
        #expect(wet.removed == dry.removed)
        #expect(wet.removedBytes == dry.removedBytes)
        #expect(!isThere(old))
    }

    @Test(arguments: ["store", "refresh", "load"])
    func whatIsNeededAgainIsYoungAgain(way: String) async throws {
        let reference = try await stored("needed", .seconds(10 * 86_400))
        switch way {
        case "store": _ = try await store.store(Array("needed".utf8), completionID: "b")
        case "refresh": try await store.refresh(reference, completionID: "a")
        default: _ = try await store.load(reference, completionID: "a")
        }
        #expect(try await directory.sweep(olderThan: .seconds(3600)).kept == 1)
        #expect(isThere(reference))
    }

    @Test func callbacksAreYoungAgainTogetherWithWhatTheyHold() async throws {
        let storage = FileCallbackStorage(directory, inlineLimit: 0, cache: WorkflowCache(maxSize: 0))
        let reference = try await storage.store(callbacks)
        #expect(scratch.contents.count == 2)
        for content in scratch.contents { try ScratchDirectory.age(content, by: .seconds(10 * 86_400)) }
        // Another process, which doesn't know how young they were.
        _ = try await FileCallbackStorage(directory, inlineLimit: 0, cache: WorkflowCache()).retrieve(reference)
        #expect(try await directory.sweep(olderThan: .seconds(3600)).kept == 2)
    }

    /// So many that they are a content of their own, as what comes after the first one is.
    private var callbacks: [CompletionCallback] {
        let chain: JSONValue = ["__type__": "chain", "children": [["__type__": "group", "children": []]]]
        return (0..<200).map {
            CompletionCallback(
                completionID: "barrier \($0)", remaining: $0 == 0 ? RemainingWorkflow(chain) : nil, propagates: $0 > 0)
        }
    }

    @Test func whatWasRefreshedAfterItWasFoundOldStays() async throws {
        let refreshed = try await stored("refreshed", .seconds(10 * 86_400))
        let old = try await stored("old", .seconds(10 * 86_400))
        let sweep = DirectorySweep(
            files: directory.files, age: .seconds(86_400), isDryRun: false, lockTimeout: directory.lockTimeout)
        var found: [String: [DirectoryEntry]] = [:]
        let failed: (FileStorageError) -> Void = { Issue.record($0) }
        try directory.files.visitDirectories("sweep", failed: failed) { leaf, outer, inner in
            found[outer + inner] = try directory.files.entries(
                of: leaf, outer, inner, "sweep", Cancellation(), failed: failed)
        }
        // Between the look and the removal.
        _ = try await store.store(Array("refreshed".utf8), completionID: "b")
        var report = SweepReport(isDryRun: false)
        var wait = LockWait(timeout: directory.lockTimeout, cancellation: Cancellation(), access: .owner)
        try directory.files.visitDirectories("sweep", failed: failed) { leaf, outer, inner in
            try sweep.sweep(leaf, found[outer + inner] ?? [], &report, &wait)
        }
        #expect(report.removed == 1)
        #expect(report.kept == 1)
        #expect(isThere(refreshed))
        #expect(!isThere(old))
    }

    @Test func leftoversGoAfterAnHourAndOthersFilesNever() async throws {
        let reference = try await stored("x", .zero)
        let leaf = (path(reference) as NSString).deletingLastPathComponent
        for name in [".tmp-1-a", ".tmp-1-b", "notes.txt", String(repeating: "a", count: 64)] {
            try ScratchDirectory.write([1], leaf + "/" + name)
            try ScratchDirectory.age(leaf + "/" + name, by: .seconds(name == ".tmp-1-b" ? 3000 : 100 * 86_400))
        }
        try FileManager.default.createSymbolicLink(
            atPath: leaf + "/" + String(path(reference).suffix(64).reversed()), withDestinationPath: "/etc/hostname")
        let report = try await directory.sweep()
        #expect(report.removedLeftovers == 1)
        #expect(report.removed == 0)
        #expect(!FileManager.default.fileExists(atPath: leaf + "/.tmp-1-a"))
        let statistics = try await directory.statistics()
        #expect(statistics.temporaryCount == 1)
        #expect(statistics.foreignCount == 3)
        #expect(statistics.count == 1)
    }

    @Test func aWriterWhoseTemporaryFileWasSweptWritesAgain() async throws {
        let content = Array(repeating: UInt8(7), count: 200_000)
        let reference = JSONValue.string("sha256:" + ContentDigest(of: content).hexadecimal)
        let leaf = (path(reference) as NSString).deletingLastPathComponent
        try FileManager.default.createDirectory(atPath: leaf, withIntermediateDirectories: true)
        // With this lock it is kept from giving the file its name.
        let lock = open(leaf + "/" + DirectoryLock.name, O_RDWR | O_CREAT, 0o600)
        #expect(flock(lock, LOCK_EX) == 0)
        async let stored = store.store(content, completionID: "a")
        try await eventually {
            let names = try FileManager.default.contentsOfDirectory(atPath: leaf)
            guard let name = names.first(where: { $0.hasPrefix(ContentFiles.temporaryPrefix) }) else { return false }
            // As a sweep would that takes it for a leftover.
            return unlink(leaf + "/" + name) == 0
        }
        close(lock)
        #expect(try await stored == reference)
        try await #expect(store.load(reference, completionID: "a") == content)
        #expect(!scratch.files.contains { $0.contains(ContentFiles.temporaryPrefix) })
    }

    /// What waits for longer than the age stays for as long as it waits, whoever stores or reads it meanwhile.
    @Test func whatIsKnownToWaitIsKept() async throws {
        let day = Duration.seconds(86_400)
        let store = FileWorkflowStore(directory)
        let reference = try await store.store(Array("long".utf8), completionID: "id")
        let digest = try ContentDigest(reading: reference)
        let path = directory.files.places.path(of: digest)
        func date() throws -> Date {
            try #require(try FileManager.default.attributesOfItem(atPath: path)[.modificationDate] as? Date)
        }
        try await store.refresh(reference, completionID: "id", for: day * 400)
        let kept = try date()
        #expect(kept > Date.now.addingTimeInterval(399 * 86_400))
        try await store.refresh(reference, completionID: "id", for: day)
        try await store.refresh(reference, completionID: "id")
        _ = try await store.store(Array("long".utf8), completionID: "id")
        _ = try await store.load(reference, completionID: "id")
        #expect(try date() == kept)
        #expect(try await directory.sweep(olderThan: .zero).removed == 0)
        // No wait is too long to be written down.
        try await store.refresh(reference, completionID: "id", for: .seconds(Int64.max))
        #expect(try date() > kept)
    }

    @Test func theCallbacksAndWhatIsApartOfThemAreKept() async throws {
        let storage = FileCallbackStorage(directory, inlineLimit: 0, cache: WorkflowCache(maxSize: 0))
        let reference = try await storage.store(callbacks)
        try await storage.refresh(reference, for: .seconds(100 * 86_400))
        #expect(scratch.contents.count == 2)
        for content in scratch.contents {
            let attributes = try FileManager.default.attributesOfItem(atPath: content)
            #expect(try #require(attributes[.modificationDate] as? Date) > .now.addingTimeInterval(99 * 86_400))
        }
    }

    @Test func statisticsCountWhatIsThere() async throws {
        _ = try await stored("first", .seconds(20 * 86_400))
        _ = try await stored("second!", .seconds(3600))
        let statistics = try await directory.statistics()
        #expect(statistics.count == 2)
        #expect(statistics.bytes == 2 * "dramatiq-workflow 1 none 5\n".utf8.count + 12)
        #expect(statistics.expiredCount == 1)
        #expect(statistics.expiredBytes == "dramatiq-workflow 1 none 5\nfirst".utf8.count)
        let oldest = try #require(statistics.oldestAge)
        #expect(oldest >= .seconds(20 * 86_400) && oldest < .seconds(21 * 86_400))
        let youngest = try #require(statistics.youngestAge)
        #expect(youngest >= .seconds(3600) && youngest < .seconds(86_400))
    }

    @Test func aDirectoryThatIsNotThereIsAnError() async throws {
        for attempt in [
            { try await self.directory.sweep().kept }, { try await self.directory.statistics().count },
            { try await self.directory.verify().intact },
        ] {
            let error = await #expect(throws: FileStorageError.self) { _ = try await attempt() }
            #expect(error?.code == .missing)
            #expect(error?.path == scratch.storage)
        }
    }

    @Test func aSweeperSweepsUntilItIsShutDown() async throws {
        let old = try await stored("old", .seconds(20 * 86_400))
        let log = RecordingLog()
        let sweeper = StorageSweeper(directory, interval: .milliseconds(5), logger: log.logger)
        try await testGracefulShutdown { trigger in
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await sweeper.run() }
                try await eventually { !isThere(old) }
                // And again, and through an error.
                // Moved, since nothing can be removed as a whole that somebody works in.
                try FileManager.default.moveItem(atPath: scratch.storage, toPath: scratch.path + "/moved")
                try ScratchDirectory.write([], scratch.storage)
                try await eventually {
                    log.complaints.contains { $0.metadata["error"]?.contains(scratch.storage) == true }
                }
                try FileManager.default.removeItem(atPath: scratch.storage)
                let second = try await stored("old again", .seconds(20 * 86_400))
                try await eventually { !isThere(second) }
                trigger.triggerGracefulShutdown()
                try await group.waitForAll()
            }
        }
        #expect(log.entries.contains { $0.metadata["removed"] == "1" })
    }
}
