import Dramatiq
import DramatiqS3Storage
import DramatiqWorkflow
import TestSupport
import Testing

/// What operators do with a bucket.
@Suite(.timeLimit(.minutes(10))) struct S3OperationsTests {
    private static let day = Duration.seconds(86_400)

    @Test func allPagesAreListedAndWhatIsForeignIsCounted() async throws {
        try await FaultyS3.run { s3 in
            let (store, bucket) = (try s3.store(), TestBucket(endpoint: s3.server.endpoint))
            // More than fit into a page.
            try await withThrowingTaskGroup(of: Void.self) { group in
                for worker in 0..<8 {
                    group.addTask {
                        for number in 0..<130 { try await bucket.put("workflows/\(worker)-\(number)", [1]) }
                    }
                }
                try await group.waitForAll()
            }
            for key in ["workflows/", "workflows/a/b", "workflows/é", "workflows/.x", "elsewhere", "workflow"] {
                try await bucket.put(key, [1, 2])
            }
            let statistics = try await store.statistics()
            #expect(statistics.count == 1040 && statistics.bytes == 1040 && statistics.foreignCount == 4)
            #expect(s3.methods == ["GET", "GET"])
        }
    }

    @Test func aSweepLeavesWhatMessagesWaitWith() async throws {
        try await FaultyS3.run { s3 in
            let store = try s3.store()
            for name in ["old", "waiting", "renewed"] { _ = try await store.store([1], completionID: name) }
            try await store.refresh("waiting", completionID: "waiting", for: Self.day * 100)
            try await s3.server.setClock(ahead: Self.day * 10)
            try await store.refresh("renewed", completionID: "renewed")
            _ = try await store.store([1, 2], completionID: "young")
            try await s3.server.setClock(ahead: Self.day * 18)
            let dry = try await store.sweep(isDryRun: true)
            #expect(dry.removed == 1 && dry.kept == 3)
            #expect(try await store.sweep() == (try await sweepOf(removed: 1, kept: [1, 1, 2])))
            #expect(try await store.content(named: "old") == nil)
            try await s3.server.setClock(ahead: Self.day * 110)
            #expect(try await store.sweep().removed == 2, "the wait is over, what it was for is not")
            #expect(try await store.stored(named: "waiting")?.age ?? .zero > .zero)
            try await s3.server.setClock(ahead: Self.day * 118)
            #expect(try await store.sweep().removed == 1)
        }
    }

    /// A request that is repeated looks again: what is needed between the two attempts stays.
    @Test func aSweepThatIsHeldUpLooksAgain() async throws {
        try await FaultyS3.run { s3 in
            let store = try s3.store()
            for name in ["a", "b"] { _ = try await store.store([1], completionID: name) }
            try await s3.server.setClock(ahead: Self.day * 18)
            let before = s3.methods.count
            let gate = Gate()
            s3.fail(.none, .overloaded(gate))
            async let isRemoved = store.remove(named: "a", olderThan: Self.day * 17)
            try await eventually { s3.methods.count == before + 2 }
            let other = try S3WorkflowStore(
                s3.configuration { $0.endpoint = s3.server.endpoint })
            try await other.refresh("a", completionID: "a")
            gate.open()
            #expect(try await isRemoved == false)
            #expect(try await store.content(named: "a") == [1])
            #expect(s3.methods[before...] == ["HEAD", "DELETE", "HEAD", "GET"])
            // One whose answer was lost has done it.
            s3.fail(.none, .lost)
            #expect(try await store.remove(named: "b", olderThan: Self.day * 17))
            #expect(try await store.remove(named: "b", olderThan: Self.day * 17) == false)
            #expect(try await store.stored(named: "b") == nil)
        }
    }

    private func sweepOf(removed: Int, kept: [Int]) async throws -> SweepReport {
        var report = SweepReport(isDryRun: false)
        for _ in 0..<removed { report.remove(1) }
        for size in kept { report.keep(size) }
        return report
    }

    @Test func aLifecycleRuleLeavesSoMuchTime() async throws {
        try await FaultyS3.run { s3 in
            let store = try s3.store { $0.retention = S3Retention(lifecycleDays: 46) }
            _ = try await store.store([1], completionID: "id")
            try await s3.server.setClock(ahead: Self.day * 10)
            let content = try #require(try await store.stored(named: "id"))
            let left = try #require(content.timeLeft)
            #expect(left <= Self.day * 36 && left > Self.day * 35)
        }
    }

    @Test func listsThatMakeNoSenseAreErrors() async throws {
        try await FaultyS3.run { s3 in
            let store = try s3.store()
            let again = """
                <ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>same</NextContinuationToken>
                </ListBucketResult>
                """
            for body in [
                "", "<html/>", "<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>",
                "<ListBucketResult><Contents><Key>workflows/a</Key><Size>-1</Size></Contents></ListBucketResult>",
                again,
            ] {
                s3.fail(always: .raw("HTTP/1.1 200 OK\r\ncontent-length: \(body.utf8.count)\r\n\r\n\(body)"))
                await expectCode(.malformedReply) { try await store.statistics() }
            }
            s3.fail(always: .endless)
            await expectCode(.malformedReply) { try await store.statistics() }
        }
    }
}
