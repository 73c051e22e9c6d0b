import Dramatiq
import DramatiqDedupStorage
import DramatiqWorkflow
import Foundation
import ServiceLifecycleTestKit
import TestSupport
import Testing

@testable import DramatiqFileStorage

/// Somebody holds the locks of a directory: on purpose, or because it stands still.
@Suite(.timeLimit(.minutes(10))) struct HeldLockTests {
    private let scratch: ScratchDirectory

    init() throws {
        scratch = try ScratchDirectory()
    }

    private func directory(lockTimeout: Duration) -> StorageDirectory {
        StorageDirectory(scratch.storage, durability: .processFailure, lockTimeout: lockTimeout)
    }

    /// Stores until there is a lock in each directory.
    private func fill() async throws {
        let store = FileWorkflowStore(directory(lockTimeout: .seconds(60)))
        var number = 0
        while scratch.files.filter({ $0.hasSuffix("/" + DirectoryLock.name) }).count < 256 {
            // Many at once, since listing takes longer than storing.
            for _ in 0..<200 {
                _ = try await store.store(Array("content \(number)".utf8), completionID: "a")
                number += 1
            }
        }
    }

    /// A process that holds what it can.
    private func holder(_ arguments: String...) async throws -> (process: StressProcess, held: Int) {
        let process = try StressProcess(
            ["hold", scratch.storage] + arguments, output: scratch.path + "/holder-\(UUID().uuidString)")
        try await eventually { process.text.hasPrefix("held ") && process.text.hasSuffix("\n") }
        return (process, try #require(Int(process.text.dropFirst(5).dropLast())))
    }

    /// Root becomes somebody else for this. An ordinary user can't, and is shown that only its own processes could.
    @Test func anotherUserCannotHoldALock() async throws {
        try await fill()
        if geteuid() == 0 {
            let (process, held) = try await holder("--user", "65534")
            #expect(held == 0)
            let store = FileWorkflowStore(directory(lockTimeout: .seconds(60)))
            _ = try await store.store(Array("one more".utf8), completionID: "a")
            process.kill()
        }
        for file in scratch.files where file.count <= 3 || file.hasSuffix(DirectoryLock.name) {
            let attributes = try FileManager.default.attributesOfItem(atPath: scratch.storage + "/" + file)
            #expect(try #require(attributes[.posixPermissions] as? Int) & 0o077 == 0)
        }
    }

    @Test func aStoppedProcessThatHoldsTheLocksStopsNobodyForEver() async throws {
        try await fill()
        let (process, held) = try await holder()
        #expect(held == 256)
        process.suspend()
        let directory = directory(lockTimeout: .milliseconds(100))
        let store = FileWorkflowStore(directory)

        let content = Array("one more".utf8)
        let error = await #expect(throws: FileStorageError.self) {
            _ = try await store.store(content, completionID: "a")
        }
        #expect(error?.code == .locked)
        let (outer, inner) = ContentDigest(of: content).fanOut
        let lock = "\(scratch.storage)/\(outer)/\(inner)/.lock"
        #expect(error?.path == lock)
        #expect(error?.description.hasPrefix("Can't store '\(lock)': ") == true)
        #expect(!scratch.files.contains { $0.contains(ContentFiles.temporaryPrefix) })

        // What is there can be read all the same, even if its age should be renewed.
        let known = Array("content 0".utf8)
        let reference = ContentDigest(of: known).jsonValue
        try ScratchDirectory.age(
            directory.files.places.path(of: ContentDigest(of: known)), by: .seconds(20 * 86_400))
        #expect(try await store.load(reference, completionID: "a") == known)
        let again = await #expect(throws: FileStorageError.self) { _ = try await store.store(known, completionID: "a") }
        #expect(again?.code == .locked)
        let renewal = await #expect(throws: FileStorageError.self) {
            try await store.refresh(reference, completionID: "a", for: .seconds(60))
        }
        #expect(renewal?.code == .locked)

        // A sweep waits for one lock, and names all of those that it can't have.
        for content in scratch.contents { try ScratchDirectory.age(content, by: .seconds(20 * 86_400)) }
        let sweep = try await directory.sweep()
        #expect(sweep.removed == 0)
        #expect(sweep.failureCount == 256)
        #expect(sweep.failures.allSatisfy { $0.code == "locked" && $0.place.hasSuffix("/.lock") })

        process.kill()
        #expect(try await store.store(content, completionID: "a") == ContentDigest(of: content).jsonValue)
        #expect(try await directory.sweep().removed > 0)
    }

    @Test func waitingForALockCanBeCancelled() async throws {
        try await fill()
        let (process, _) = try await holder()
        process.suspend()
        let store = FileWorkflowStore(directory(lockTimeout: .seconds(86_400)))
        try await withThrowingTaskGroup(of: Void.self) { group in
            // More than there are threads for.
            for number in 0..<40 {
                group.addTask {
                    await #expect(throws: CancellationError.self) {
                        _ = try await store.store(Array("one more \(number)".utf8), completionID: "a")
                    }
                }
            }
            group.addTask {
                await #expect(throws: CancellationError.self) {
                    for content in scratch.contents { try ScratchDirectory.age(content, by: .seconds(20 * 86_400)) }
                    _ = try await store.directory.sweep()
                }
            }
            try await eventually {
                scratch.files.contains { $0.contains(ContentFiles.temporaryPrefix) }
            }
            // Those who read don't wait for those who wait.
            let known = Array("content 1".utf8)
            #expect(try await store.load(ContentDigest(of: known).jsonValue, completionID: "a") == known)
            group.cancelAll()
        }
        #expect(!scratch.files.contains { $0.contains(ContentFiles.temporaryPrefix) })
        process.kill()
    }

    enum Kind: CaseIterable, Sendable {
        case file, dedup
    }

    /// The next step can't be stored, and the worker has no time to wait until it can.
    @Test(arguments: Kind.allCases, [false, true])
    func aWorkerThatWaitsForALockEndsInItsGrace(kind: Kind, isCancelled: Bool) async throws {
        try await fill()
        let directory = directory(lockTimeout: .seconds(86_400))
        let storage: any CallbackStorage =
            switch kind {
            case .file: FileCallbackStorage(directory, inlineLimit: 0)
            case .dedup: DedupCallbackStorage(FileWorkflowStore(directory), inlineLimit: 0)
            }
        // Carried by the messages so far, so the next step has something to be stored.
        let earlier = try await Stage()
        let stage = try await earlier.swapping(to: storage)
        let m = stage.task.message
        let rest = String(repeating: "x", count: 5000)
        try await Workflow(
            Chain(Group(m("a"), m("a")), Group(m(rest), m(rest)), Group(m(rest), m(rest))), broker: earlier.broker
        ).run()
        let (process, _) = try await holder()
        process.suspend()
        let worker = Worker(stage.broker, concurrency: 4, gracePeriod: .milliseconds(200))
        // Without an end of the wait, this would take a day.
        try await testGracefulShutdown { trigger in
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await worker.run() }
                try await eventually { stage.ran.values.count == 2 }
                try await eventually { scratch.files.contains { $0.contains(ContentFiles.temporaryPrefix) } }
                if isCancelled { group.cancelAll() } else { trigger.triggerGracefulShutdown() }
                try await group.waitForAll()
            }
        }
        #expect(stage.transport.unfinishedCount(queues: ["default"]) > 0)
        process.kill()
        try await stage.work()
        #expect(stage.ran.values.filter { $0 == rest }.count == 4)
        #expect(stage.transport.deadLetters().isEmpty)
        #expect(stage.backend.keyCount == 0)
    }

    /// What a disk that doesn't answer does to a thread.
    @Test func aTaskThatIsCancelledGetsOnAlthoughItsThreadDoesNot() async throws {
        let threads = BlockingThreads(count: 1)
        let pipe = Pipe()
        let started = Gate()
        let blocked = Task {
            try await threads.run { _ in
                started.open()
                return pipe.fileHandleForReading.availableData.count
            }
        }
        try await started.wait()
        let behind = Task { try await threads.run { _ in 1 } }
        behind.cancel()
        await #expect(throws: CancellationError.self) { try await behind.value }
        blocked.cancel()
        await #expect(throws: CancellationError.self) { try await blocked.value }
        // The thread is of use again once it can go on.
        let next = Task { try await threads.run { _ in 2 } }
        try pipe.fileHandleForWriting.write(contentsOf: Data([1]))
        #expect(try await next.value == 2)
    }
}
