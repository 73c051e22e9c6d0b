import Dramatiq
import DramatiqWorkflow
import Foundation
import ServiceLifecycleTestKit
import TestSupport
import Testing

@testable import DramatiqFileStorage

/// What can't be read in one place keeps nothing in any other from being looked after.
@Suite(.timeLimit(.minutes(10))) struct UnreadableDirectoryTests {
    private let scratch: ScratchDirectory
    private let store: FileWorkflowStore
    private var directory: StorageDirectory { store.directory }

    init() throws {
        scratch = try ScratchDirectory()
        store = FileWorkflowStore(directory: scratch.storage, durability: .processFailure)
    }

    enum Obstacle: String, CaseIterable {
        case file = "a file"
        case danglingLink = "a dangling link"
        case link = "a link to a directory"
        case loop = "a link to itself"
        case pipe = "a pipe"
        case locked = "a directory without permissions"
    }

    /// Stores old contents until each of the outer directories has some.
    private func fill() async throws -> Int {
        var count = 0
        var outer: Set<Substring> = []
        while outer.count < 16 || count < 40 {
            let reference = try await store.store(Array("content \(count)".utf8), completionID: "a")
            outer.insert(try #require(reference.stringValue).dropFirst("sha256:".count).prefix(1))
            count += 1
        }
        for content in scratch.contents { try ScratchDirectory.age(content, by: .seconds(20 * 86_400)) }
        return count
    }

    /// Puts something in the place of a directory, and returns with how many contents are left.
    private func put(_ obstacle: Obstacle, at path: String) throws -> Int {
        let aside = scratch.path + "/aside"
        try FileManager.default.moveItem(atPath: path, toPath: aside)
        switch obstacle {
        case .file: try ScratchDirectory.write([], path)
        case .danglingLink:
            try FileManager.default.createSymbolicLink(atPath: path, withDestinationPath: scratch.path + "/nowhere")
        case .link: try FileManager.default.createSymbolicLink(atPath: path, withDestinationPath: aside)
        case .loop: try FileManager.default.createSymbolicLink(atPath: path, withDestinationPath: path)
        case .pipe: #expect(mkfifo(path, 0o600) == 0)
        case .locked:
            try FileManager.default.createDirectory(
                atPath: path, withIntermediateDirectories: false, attributes: [.posixPermissions: 0])
        }
        return scratch.contents.count
    }

    /// Root may read everything.
    private static let obstacles = Obstacle.allCases.filter { $0 != .locked || geteuid() != 0 }

    @Test(arguments: obstacles, ["/5", "/d/9"])
    func whatIsInTheWayIsReportedAndTheRestIsDone(obstacle: Obstacle, place: String) async throws {
        let all = try await fill()
        // So that the one in the inner place exists.
        try FileManager.default.createDirectory(
            atPath: scratch.storage + place, withIntermediateDirectories: true)
        let path = scratch.storage + place
        let left = try put(obstacle, at: path)
        #expect(left <= all)

        let statistics = try await directory.statistics()
        #expect(statistics.count == left)
        #expect(statistics.failureCount == 1)
        #expect(statistics.failures.map(\.place) == [path])
        let verification = try await directory.verify()
        #expect(verification.intact == left)
        #expect(verification.problemCount == 1)
        #expect(verification.problems.map(\.place) == [path])
        let dryRun = try await directory.sweep(isDryRun: true)
        #expect(dryRun.removed == left)
        let sweep = try await directory.sweep()
        #expect(sweep.removed == left)
        #expect(sweep.failureCount == 1)
        let failure = try #require(sweep.failures.first)
        #expect(failure.place == path)
        #expect(failure.code == (obstacle == .locked ? "permissionDenied" : "unusable"))
        #expect(failure.description.hasPrefix("Can't sweep '\(path)': "))
        if [.link, .danglingLink, .loop].contains(obstacle) { #expect(failure.reason.contains("symbolic link")) }
        #expect(scratch.contents.isEmpty)
        if obstacle == .locked { #expect(chmod(path, 0o700) == 0) }
    }

    @Test func allThatIsInTheWayIsCounted() async throws {
        _ = try await fill()
        for digit in FanOut.digits.prefix(15) {
            try FileManager.default.removeItem(atPath: scratch.storage + "/" + digit)
            try ScratchDirectory.write([], scratch.storage + "/" + digit)
        }
        let left = scratch.contents.count
        #expect(left > 0)
        let sweep = try await directory.sweep()
        #expect(sweep.removed == left)
        #expect(sweep.failureCount == 15)
        try await #expect(directory.verify().problemCount == 15)
        try await #expect(directory.statistics().failureCount == 15)
    }

    @Test func aSweeperLogsItAndGoesOn() async throws {
        _ = try await fill()
        let path = scratch.storage + "/5"
        _ = try put(.file, at: path)
        let log = RecordingLog()
        let sweeper = StorageSweeper(directory, interval: .zero, logger: log.logger)
        #expect(sweeper.interval == .milliseconds(1))
        try await testGracefulShutdown { trigger in
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await sweeper.run() }
                try await eventually { scratch.contents.isEmpty }
                try await eventually { log.complaints.contains { $0.message.contains(path) } }
                // And again.
                let reference = try await store.store(Array("again".utf8), completionID: "a")
                #expect(reference.stringValue?.hasPrefix("sha256:5") == false)
                for content in scratch.contents { try ScratchDirectory.age(content, by: .seconds(20 * 86_400)) }
                try await eventually { scratch.contents.isEmpty }
                trigger.triggerGracefulShutdown()
                try await group.waitForAll()
            }
        }
    }

    @Test func aSweeperCanPauseForAsLongAsOneLikes() async throws {
        let endless = StorageSweeper(directory, interval: .seconds(Int64.max))
        #expect(endless.interval == .seconds(365 * 86_400))
        let task = Task { try await endless.run() }
        task.cancel()
        try await task.value
    }
}
