import ArgumentParser
import Dramatiq
import DramatiqFileStorage
import DramatiqWorkflow
import Foundation
import TestSupport

#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Stores, loads, ages and sweeps the same contents as others, and says what happened.
///
/// Whoever stores a content holds a lock on it until it has loaded it again, and whoever makes it look old holds the
/// lock alone: so what has just been stored has to be there, however long it took. Sweeps know nothing of the locks.
struct MixCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "mix")

    /// Files are swept that are older; those that are aged are twice as old.
    private static let age = Duration.seconds(36_000)

    @Argument var directory: String
    @Option(help: "A directory for the locks.") var locks: String
    @Option var seed: UInt64
    @Option(help: "How many steps to take; more until something was swept.") var steps: Int

    func run() async throws {
        let store = FileWorkflowStore(
            directory: directory, durability: seed.isMultiple(of: 2) ? .processFailure : .powerFailure)
        var generator = SeededGenerator(seed: seed)
        var report = MixReport()
        var step = 0
        while step < steps || report.swept == 0, report.failures.isEmpty {
            step += 1
            let index = Int.random(in: 0..<StressContent.sharedCount, using: &generator)
            switch Int.random(in: 0..<12, using: &generator) {
            case 0..<6: await storeAndLoad(index, store, &report)
            case 6..<8: await load(index, store, &report)
            case 8..<10: try age(index)
            default: await sweep(store, &report)
            }
        }
        FileHandle.standardOutput.write(try JSONEncoder().encode(report))
    }

    private func storeAndLoad(_ index: Int, _ store: FileWorkflowStore, _ report: inout MixReport) async {
        let content = StressContent.shared(index)
        do {
            let lock = try lock(index, LOCK_SH)
            defer { close(lock) }
            let reference = try await store.store(content, completionID: "stress")
            report.stored += 1
            let loaded = try await store.load(reference, completionID: "stress")
            if loaded != content { report.failures.append("content \(index) is another") }
            report.loaded += 1
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

    /// Makes a content look as if nobody had needed it for long, unless somebody is just storing it.
    private func age(_ index: Int) throws {
        let lock = try lock(index, LOCK_EX)
        defer { close(lock) }
        let date = Date.now.addingTimeInterval(-2 * Double(Self.age.components.seconds))
        let path = StressContent.path(StressContent.shared(index))
        // It may not be there.
        try? FileManager.default.setAttributes([.modificationDate: date], ofItemAtPath: directory + "/" + path)
    }

    private func sweep(_ store: FileWorkflowStore, _ report: inout MixReport) async {
        do {
            let sweep = try await store.directory.sweep(olderThan: Self.age)
            report.swept += sweep.removed
            report.failures += sweep.failures.map { "\($0)" }
        } catch let error as FileStorageError where error.code == .missing {
            // Nobody has stored anything yet.
        } catch {
            report.failures.append("\(error)")
        }
    }

    private func lock(_ index: Int, _ kind: Int32) throws -> Int32 {
        let descriptor = open(locks + "/\(index)", O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0, flock(descriptor, kind) == 0 else { throw CocoaError(.fileLocking) }
        return descriptor
    }
}

/// What a process did.
public struct MixReport: Codable, Sendable {
    public var stored = 0
    public var loaded = 0
    /// Loaded nothing, and may have.
    public var missing = 0
    public var swept = 0
    public var failures: [String] = []
}
