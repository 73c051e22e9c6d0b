import Dramatiq
import DramatiqWorkflow
import Foundation
import TestSupport
import Testing

@testable import DramatiqFileStorage
@testable import StorageStressTool

@Suite(.timeLimit(.minutes(10))) struct ManyProcessesTests {
    /// How many steps each process takes; more for a soak.
    private static let steps = ProcessInfo.processInfo.environment["STORAGE_MIX_STEPS"].flatMap { Int($0) } ?? 150

    private let scratch: ScratchDirectory

    init() throws {
        scratch = try ScratchDirectory()
    }

    @Test func sixteenProcessesStoreLoadAndSweepTheSameContents() async throws {
        let locks = scratch.path + "/locks"
        try FileManager.default.createDirectory(atPath: locks, withIntermediateDirectories: false)
        let seeds = TestSeed.first(16)
        let reports = try await withThrowingTaskGroup(of: MixReport.self) { group in
            for seed in seeds {
                group.addTask { [scratch] in
                    let text = try await StressProcess.run(
                        [
                            "mix", scratch.storage, "--locks", locks, "--seed", "\(seed.value)", "--steps",
                            "\(Self.steps)",
                        ], in: scratch)
                    return try JSONDecoder().decode(MixReport.self, from: Data(text.utf8))
                }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(reports.count == 16)
        #expect(reports.flatMap(\.failures) == [], "from \(seeds[0]) on")
        #expect(reports.allSatisfy { $0.stored > 0 && $0.loaded > 0 && $0.swept > 0 })
        let directory = StorageDirectory(scratch.storage)
        try await #expect(directory.verify().problems == [])
        try await #expect(directory.statistics().temporaryCount == 0)
    }

    private enum Order: CaseIterable {
        case sweepsFirst, storesFirst, atOnce
    }

    /// A file that is old enough to go, and somebody who wants the same content before, after or at that moment.
    @Test func whoeverStoresAgainWhatASweepIsAboutToRemoveFindsIt() async throws {
        let stores = (0..<4).map { number in
            FileWorkflowStore(
                directory: scratch.storage, durability: number.isMultiple(of: 2) ? .processFailure : .powerFailure)
        }
        for round in 0..<150 {
            let order = Order.allCases[round % 3]
            let content = StressContent.shared(round % 8)
            let reference = try await stores[0].store(content, completionID: "a")
            try ScratchDirectory.age(
                scratch.storage + "/" + StressContent.path(content), by: .seconds(30 * 86_400))
            if order == .sweepsFirst { try await #expect(sweep(stores) == 1) }
            try await withThrowingTaskGroup(of: Void.self) { group in
                for store in stores {
                    group.addTask {
                        _ = try await store.store(content, completionID: "a")
                        try await #expect(store.load(reference, completionID: "a") == content)
                    }
                }
                if order == .atOnce { group.addTask { _ = try await sweep(stores) } }
                try await group.waitForAll()
            }
            if order == .storesFirst { try await #expect(sweep(stores) == 0) }
            try await #expect(stores[1].load(reference, completionID: "a") == content)
        }
    }

    /// Sweeps twice at once.
    ///
    /// - Returns: how many files were removed.
    private func sweep(_ stores: [FileWorkflowStore]) async throws -> Int {
        try await withThrowingTaskGroup(of: Int.self) { group in
            for store in stores.prefix(2) {
                group.addTask { try await store.directory.sweep(olderThan: .seconds(86_400)).removed }
            }
            return try await group.reduce(0, +)
        }
    }
}
