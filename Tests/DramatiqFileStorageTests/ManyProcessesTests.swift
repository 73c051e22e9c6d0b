import Dramatiq
import Foundation
import TestSupport
import Testing

@testable import DramatiqFileStorage
@testable import StorageStressTool

@Suite(.timeLimit(.minutes(10))) struct ManyProcessesTests {
    /// In seconds; longer for a soak.
    private static let duration = ProcessInfo.processInfo.environment["STORAGE_MIX_SECONDS"].flatMap { Int($0) } ?? 8

    private let scratch: ScratchDirectory

    init() throws {
        scratch = try ScratchDirectory()
    }

    @Test func sixteenProcessesStoreLoadAndSweepTheSameContents() async throws {
        let reports = try await withThrowingTaskGroup(of: MixReport.self) { group in
            for seed in 0..<16 {
                group.addTask { [scratch] in
                    let text = try await StressProcess.run(
                        [
                            "mix", scratch.storage, "--seed", "\(seed)", "--duration", "\(Self.duration)", "--age",
                            "400",
                        ], in: scratch)
                    return try JSONDecoder().decode(MixReport.self, from: Data(text.utf8))
                }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(reports.count == 16)
        #expect(reports.flatMap(\.failures) == [])
        // It was what it says, however slow the machine: each stored and loaded, and something was removed meanwhile.
        #expect(reports.allSatisfy { $0.stored > 0 && $0.loaded > 0 })
        #expect(reports.map(\.swept).reduce(0, +) > 0)
        let directory = StorageDirectory(scratch.storage)
        try await #expect(directory.verify().problems == [])
        try await #expect(directory.statistics().temporaryCount == 0)
    }

    /// A file that is old enough to go, and somebody who wants the same content at that moment.
    @Test func whoeverStoresAgainWhatASweepIsAboutToRemoveFindsIt() async throws {
        let stores = (0..<4).map { number in
            FileWorkflowStore(
                directory: scratch.storage, durability: number.isMultiple(of: 2) ? .processFailure : .powerFailure)
        }
        var removed = 0
        for round in 0..<150 {
            let content = StressContent.shared(round % 8)
            let reference = try await stores[0].store(content, completionID: "a")
            try ScratchDirectory.age(
                scratch.storage + "/" + file(reference), by: .seconds(30 * 86_400))
            removed += try await withThrowingTaskGroup(of: Int.self) { group in
                for store in stores {
                    group.addTask {
                        if round.isMultiple(of: 3) { await Task.yield() }
                        _ = try await store.store(content, completionID: "a")
                        try await #expect(store.load(reference, completionID: "a") == content)
                        return 0
                    }
                }
                for store in stores.prefix(2) {
                    group.addTask { try await store.directory.sweep(olderThan: .seconds(86_400)).removed }
                }
                return try await group.reduce(0, +)
            }
            try await #expect(stores[1].load(reference, completionID: "a") == content)
        }
        // Both came first now and then.
        #expect(removed > 0)
        #expect(removed < 150)
    }

    private func file(_ reference: JSONValue) -> String {
        let digest = (reference.stringValue ?? "").dropFirst("sha256:".count)
        return "\(digest.prefix(1))/\(digest.dropFirst().prefix(1))/\(digest)"
    }
}
