import Dramatiq
import DramatiqDedupStorage
import DramatiqS3Storage
import DramatiqTestKit
import DramatiqWorkflow
import TestSupport
import Testing

/// What runs have stored in S3 goes when they have ended.
@Suite(.timeLimit(.minutes(10))) struct EndedRunTests {
    @Test func aThousandEndedRunsLeaveNothing() async throws {
        try await FaultyS3.run { s3 in
            let store = try s3.store()
            let stage = try await Stage(
                storage: DedupCallbackStorage(store, inlineLimit: 0, cache: WorkflowCache()))
            let runs = try await StoredRuns(stage.broker, store)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for lane in 0..<8 {
                    group.addTask {
                        for number in 0..<125 { try await runs.workflow("\(lane) \(number)").run() }
                    }
                }
                try await group.waitForAll()
            }
            #expect(try await runs.names().count == 1000)
            try await stage.work()
            try await runs.expectNothing()
            #expect(runs.counts.count == 1000 * StoredRuns.taskCount)
            #expect(stage.transport.deadLetters().isEmpty)
        }
    }

    @Test func whatIsRemovedIsAskedForByNothingElse() async throws {
        try await FaultyS3.run { s3 in
            let store = try s3.store()
            let reference = try await store.store([1], completionID: "name")
            for _ in 1...2 { try await store.remove(reference, completionID: "name") }
            #expect(s3.methods == ["PUT", "DELETE", "DELETE"])
            s3.fail(.answer(503, code: "SlowDown"))
            try await store.remove(reference, completionID: "name")
            s3.fail(always: .answer(403, code: "AccessDenied"))
            await #expect(throws: S3StoreError.self) { try await store.remove(reference, completionID: "name") }
        }
    }
}
