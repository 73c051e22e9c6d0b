import Dramatiq
import DramatiqWorkflow
import Foundation
import TestSupport
import Testing

@testable import DramatiqFileStorage
@testable import StorageStressTool

/// Processes that store and are killed at any point.
@Suite(.timeLimit(.minutes(10))) struct KillTests {
    /// How many are killed; more for a soak.
    private static let kills = ProcessInfo.processInfo.environment["STORAGE_KILLS"].flatMap { Int($0) } ?? 208
    private static let lanes = 4

    private let scratch: ScratchDirectory
    private let store: FileWorkflowStore

    init() throws {
        scratch = try ScratchDirectory()
        store = FileWorkflowStore(directory: scratch.storage)
    }

    @Test func whoIsKilledLosesNothingAndLeavesNothingInPart() async throws {
        let returned = Recorder<Int>()
        let looks = Recorder<Void>()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for lane in 0..<Self.lanes {
                group.addTask {
                    for number in 0..<Self.kills / Self.lanes {
                        // Somebody looks all the time, and four times at least.
                        try await eventually { looks.count >= number * 4 * Self.lanes / Self.kills }
                        returned.add(try await killOne(TestSeed(lane * 1_000_000 + number)))
                    }
                }
            }
            while returned.count < Self.kills / Self.lanes * Self.lanes {
                try await check()
                looks.add(())
            }
            try await group.waitForAll()
        }
        #expect(looks.count >= 4)
        #expect(returned.values.reduce(0, +) > returned.count, "some lived to store more than one")
        // In the end one of them is killed while it writes.
        var number = Self.lanes * 1_000_000
        while try await store.directory.statistics().temporaryCount == 0 {
            _ = try await killOne(TestSeed(number))
            number += 1
        }
        try await check()
        try await sweepLeftovers()
    }

    /// Starts a process, kills it at some point, and reads all that it was given references to.
    ///
    /// - Returns: how many that were.
    private func killOne(_ seed: TestSeed) async throws -> Int {
        var generator = seed.generator
        let process = try StressProcess(
            ["store", scratch.storage, "--seed", "\(seed.value)"], output: scratch.path + "/output-\(seed.number)")
        let lines = Int.random(in: 1...4, using: &generator)
        try await eventually { process.text.count { $0 == "\n" } >= lines }
        try await Task.sleep(for: .microseconds(Int.random(in: 0...5000, using: &generator)))
        process.kill()
        #expect(try await process.wait() == SIGKILL)
        var count = 0
        for line in process.text.split(separator: "\n", omittingEmptySubsequences: false).dropLast() {
            let words = line.split(separator: " ", maxSplits: 1)
            let index = try #require(Int(words[0]))
            let reference = try JSONValue(parsing: String(words[1]))
            let content = try await store.load(reference, completionID: "stress")
            #expect(content == StressContent.make(seed: seed.value, index: index), "\(seed)")
            count += 1
        }
        return count
    }

    private func check() async throws {
        do {
            let report = try await store.directory.verify()
            #expect(report.problems == [])
            let statistics = try await store.directory.statistics()
            #expect(statistics.foreignCount == 0)
        } catch let error as FileStorageError where error.code == .missing {
            // Nobody has come to store anything yet.
        }
    }

    private func sweepLeftovers() async throws {
        let before = try await store.directory.statistics()
        // They could still be written, for all one knows.
        try await #expect(store.directory.sweep().removedLeftovers == 0)
        for file in scratch.files where file.contains(ContentFiles.temporaryPrefix) {
            try ScratchDirectory.age(scratch.storage + "/" + file, by: .seconds(7200))
        }
        let report = try await store.directory.sweep()
        #expect(report.removedLeftovers == before.temporaryCount)
        #expect(report.removed == 0)
        #expect(report.kept == before.count)
        try await #expect(store.directory.statistics().temporaryCount == 0)
    }
}
