import ArgumentParser
import DramatiqFileStorage
import Foundation
import TestSupport

/// Stores, loads and sweeps the same contents as others for a while, and says what happened.
struct MixCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "mix")

    /// Dates of files are as coarse as the kernel's tick.
    private static let tick = Duration.milliseconds(20)

    @Argument var directory: String
    @Option var seed: UInt64
    @Option(help: "In seconds.") var duration: Double
    @Option(help: "From which age on files are swept, in milliseconds.") var age: Int

    func run() async throws {
        let store = FileWorkflowStore(
            directory: directory, durability: seed.isMultiple(of: 2) ? .processFailure : .powerFailure)
        var generator = SeededGenerator(seed: seed)
        var report = MixReport()
        let end = ContinuousClock.now + .seconds(duration)
        while .now < end {
            let index = Int.random(in: 0..<StressContent.sharedCount, using: &generator)
            switch Int.random(in: 0..<10, using: &generator) {
            case 0..<6: await storeAndLoad(index, store, &report)
            case 6..<9: await load(index, store, &report)
            default: await sweep(store, &report)
            }
        }
        FileHandle.standardOutput.write(try JSONEncoder().encode(report))
    }

    /// What has just been stored is there until its age is over.
    private func storeAndLoad(_ index: Int, _ store: FileWorkflowStore, _ report: inout MixReport) async {
        let start = ContinuousClock.now
        let content = StressContent.shared(index)
        do {
            let reference = try await store.store(content, completionID: "stress")
            report.stored += 1
            do {
                let loaded = try await store.load(reference, completionID: "stress")
                if loaded != content { report.failures.append("content \(index) is another") }
                report.loaded += 1
            } catch let error as FileStorageError where error.code == .missing {
                // A machine that is busy may well have taken that long.
                if .now - start < .milliseconds(age) - Self.tick { report.failures.append("lost: \(error)") }
                report.late += 1
            }
        } catch {
            report.failures.append("\(error)")
        }
    }

    /// Anything may be gone, but nothing may be wrong.
    private func load(_ index: Int, _ store: FileWorkflowStore, _ report: inout MixReport) async {
        let content = StressContent.shared(index)
        do {
            let loaded = try await store.load(StressContent.reference(content), completionID: "stress")
            if loaded != content { report.failures.append("content \(index) is another") }
            report.loaded += 1
        } catch let error as FileStorageError where error.code == .missing {
            report.missing += 1
        } catch {
            report.failures.append("\(error)")
        }
    }

    private func sweep(_ store: FileWorkflowStore, _ report: inout MixReport) async {
        do {
            let sweep = try await store.directory.sweep(olderThan: .milliseconds(age))
            report.swept += sweep.removed
            report.failures += sweep.failures.map { "\($0)" }
        } catch let error as FileStorageError where error.code == .missing {
            // Nobody has stored anything yet.
        } catch {
            report.failures.append("\(error)")
        }
    }
}

/// What a process did.
public struct MixReport: Codable, Sendable {
    public var stored = 0
    public var loaded = 0
    /// Loaded nothing, and may have.
    public var missing = 0
    /// As ``missing``, for what was stored longer ago than the age.
    public var late = 0
    public var swept = 0
    public var failures: [String] = []
}
