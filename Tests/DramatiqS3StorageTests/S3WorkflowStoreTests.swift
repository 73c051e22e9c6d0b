import Dramatiq
import DramatiqDedupStorage
import DramatiqS3Storage
import DramatiqWorkflow
import NIOHTTP1
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(10))) struct S3WorkflowStoreTests {
    private static let content = Array(#"[{"__type__":"chain","children":[]}]"#.utf8)
    private static let day = Duration.seconds(86_400)

    @Test func whatIsStoredLiesUnderItsNameWithItsChecksum() async throws {
        try await FaultyS3.run { s3 in
            let store = try s3.store { $0.encryption = .kms(key: "key") }
            #expect(try await store.store(Self.content, completionID: "name") == "name")
            let bucket = TestBucket(endpoint: s3.server.endpoint)
            #expect(try await bucket.content("workflows/name") == Self.content)
            let put = try #require(s3.proxy.requests.last { $0.method == "PUT" })
            #expect(put.path == "/bucket/workflows/name")
            #expect(put.headers.first(name: "if-none-match") == "*")
            #expect(put.headers.first(name: "x-amz-checksum-sha256") != nil)
            #expect(put.headers.first(name: "x-amz-server-side-encryption") == "aws:kms")
            #expect(put.headers.first(name: "x-amz-server-side-encryption-aws-kms-key-id") == "key")
            #expect(try await store.load("name", completionID: "name") == Self.content)
            #expect(s3.methods == ["PUT", "GET"], "and nothing else is asked")
        }
    }

    @Test func namesThatNeedEncodingAreSignedLikeWise() async throws {
        try await FaultyS3.run { s3 in
            let store = try s3.store { $0.prefix = "a b/+%=&?#'*~/" }
            for name in ["{dramatiq}0-1_2.3~", "step 1 +%?*", String(repeating: "x", count: 256)] {
                let reference = try await store.store(Self.content, completionID: name)
                try await store.refresh(reference, completionID: name, for: Self.day * 30)
                #expect(try await store.load(reference, completionID: name) == Self.content)
            }
        }
    }

    @Test(arguments: ["", ".", "..", ".a", "a/b", "../a", "/", "a\n", "é", String(repeating: "x", count: 257)])
    func otherNamesAreRefused(name: String) async throws {
        let store = try S3WorkflowStore(S3Configuration(bucket: "bucket", endpoint: "http://127.0.0.1:1"))
        await expectCode(.invalidName) { try await store.store([], completionID: name) }
        await expectCode(.invalidName) { try await store.load(.string(name), completionID: name) }
        await expectCode(.invalidName) { try await store.refresh(.string(name), completionID: name) }
    }

    @Test(arguments: ["x", "", "../id", nil, 1, [:], ["id"], "other"] as [JSONValue])
    func otherReferencesAreNotFollowed(reference: JSONValue) async throws {
        let store = try S3WorkflowStore(S3Configuration(bucket: "bucket", endpoint: "http://127.0.0.1:1"))
        await expectCode(.invalidReference) { try await store.load(reference, completionID: "id") }
        await expectCode(.invalidReference) { try await store.refresh(reference, completionID: "id") }
    }

    @Test func whatIsNotThereIsAnErrorThatNamesIt() async throws {
        try await FaultyS3.run { s3 in
            let store = try s3.store()
            await expectCode(.missing) { try await store.refresh("id", completionID: "id") }
            let error = await expectCode(.missing) { try await store.load("id", completionID: "id") }
            #expect(error?.key == "workflows/id" && error?.bucket == "bucket" && error?.status == 404)
            #expect(error?.serverCode == "NoSuchKey")
            #expect("\(error, default: "")".hasPrefix("Can't load 's3://bucket/workflows/id': "))
            #expect(error?.isTransient == false)
            let elsewhere = try s3.store { $0.bucket = "elsewhere" }
            await expectCode(.missingBucket) { try await elsewhere.load("id", completionID: "id") }
        }
    }

    // MARK: Nothing is overwritten

    @Test(arguments: [true, false]) func whatIsThereStays(isConditional: Bool) async throws {
        try await FaultyS3.run { s3 in
            let store = try s3.store { $0.hasConditionalWrites = isConditional }
            let bucket = TestBucket(endpoint: s3.server.endpoint)
            _ = try await store.store(Self.content, completionID: "id")
            _ = try await store.store(Self.content, completionID: "id")
            #expect(s3.methods == (isConditional ? ["PUT", "PUT", "HEAD"] : ["HEAD", "PUT", "HEAD"]))
            await expectCode(.conflict) { try await store.store([1, 2], completionID: "id") }
            #expect(try await bucket.content("workflows/id") == Self.content)
            // What was put there by others has no checksum.
            try await bucket.put("workflows/plain", Self.content)
            _ = try await store.store(Self.content, completionID: "plain")
            await expectCode(.conflict) { try await store.store([1, 2], completionID: "plain") }
            #expect(try await bucket.content("workflows/plain") == Self.content)
            // What is there is more than may be read.
            try await bucket.put("workflows/large", Self.content + Self.content)
            let small = try s3.store {
                $0.maxSize = Self.content.count
                $0.hasConditionalWrites = isConditional
            }
            await expectCode(.conflict) { try await small.store(Self.content, completionID: "large") }
        }
    }

    /// One stores it plain, another one compressed.
    @Test func theSameContentIsKeptInOneWay() async throws {
        try await FaultyS3.run { s3 in
            let (store, bucket) = (try s3.store(), TestBucket(endpoint: s3.server.endpoint))
            // The digest of "[]".
            let (name, plain) = ("T1PNoYwrqgwDVLtfmj7L5e0Sq02OEbqHPC8RFhICuUU", Array("[]".utf8))
            let headed = Array("dramatiq-workflow 1 none 2\n[]".utf8)
            let compressed = Array("dramatiq-workflow 1 lz4 2\nxyz".utf8)
            for (there, other) in [(plain, headed), (headed, plain), (compressed, plain), (plain, compressed)] {
                try await bucket.put("workflows/" + name, there)
                _ = try await store.store(other, completionID: name)
                #expect(try await bucket.content("workflows/" + name) == there)
            }
            for there in [
                "{}", "dramatiq-workflow 1 none 2\n{}", "dramatiq-workflow 1 lz4 3\nxyz",
                "dramatiq-workflow 2 none 2\n[]",
            ] {
                try await bucket.put("workflows/" + name, Array(there.utf8))
                await expectCode(.conflict) { try await store.store(plain, completionID: name) }
            }
        }
    }

    @Test func aServerWithoutConditionalWritesIsLookedAtFirst() async throws {
        try await FaultyS3.run { s3 in
            let store = try s3.store()
            s3.fail(.answer(501, code: "NotImplemented"))
            _ = try await store.store(Self.content, completionID: "id")
            await expectCode(.conflict) { try await store.store([1], completionID: "id") }
            #expect(s3.methods == ["PUT", "HEAD", "PUT", "HEAD", "GET"], "it is asked once")
        }
    }

    @Test func ofManyWhoStoreAtTheSameTimeOneWins() async throws {
        try await FaultyS3.run { s3 in
            let outcomes = try await withThrowingTaskGroup(of: UInt8?.self) { group in
                for number in 0..<16 as Range<UInt8> {
                    let store = try s3.store()
                    group.addTask {
                        do {
                            _ = try await store.store([number], completionID: "id")
                            return number
                        } catch let error as S3StoreError where error.code == .conflict {
                            return nil
                        }
                    }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            let winners = outcomes.compactMap(\.self)
            #expect(winners.count == 1)
            let stored = try await s3.store().load("id", completionID: "id")
            #expect(stored == winners)
        }
    }

    @Test func sixtyFourTasksShareAStore() async throws {
        try await FaultyS3.run { s3 in
            let store = try s3.store()
            try await withThrowingTaskGroup(of: Void.self) { group in
                for task in 0..<64 {
                    group.addTask {
                        // Each is stored by two.
                        let (name, content) = ("name\(task / 2)", [UInt8](repeating: UInt8(task / 2), count: 10_000))
                        let reference = try await store.store(content, completionID: name)
                        #expect(try await store.load(reference, completionID: name) == content)
                        try await store.refresh(reference, completionID: name)
                    }
                }
                try await group.waitForAll()
            }
        }
    }

    // MARK: Sizes

    @Test func whatIsTooLargeIsAnErrorBeforeItIsRead() async throws {
        try await FaultyS3.run { s3 in
            let store = try s3.store { $0.maxSize = 1000 }
            let largest = [UInt8](repeating: 0x20, count: 1000)
            _ = try await store.store(largest, completionID: "largest")
            #expect(try await store.load("largest", completionID: "largest") == largest)
            await expectCode(.tooLarge) { try await store.store(largest + [0x20], completionID: "larger") }
            try await TestBucket(endpoint: s3.server.endpoint).put("workflows/larger", largest + [0x20])
            await expectCode(.tooLarge) { try await store.load("larger", completionID: "larger") }
            s3.fail(.endless)
            await expectCode(.tooLarge) { try await store.load("largest", completionID: "largest") }
            _ = try await store.store([], completionID: "empty")
            #expect(try await store.load("empty", completionID: "empty") == [])
        }
    }

    // MARK: Age

    @Test func refreshingRenewsTheAgeOfWhatIsOld() async throws {
        try await FaultyS3.run { s3 in
            let store = try s3.store()
            let bucket = TestBucket(endpoint: s3.server.endpoint)
            func date() async throws -> String? {
                try await bucket.headers("workflows/id").first(name: "last-modified")
            }
            _ = try await store.store(Self.content, completionID: "id")
            let first = try await date()
            try await store.refresh("id", completionID: "id")
            #expect(s3.methods == ["PUT", "HEAD"], "it is new")
            try await s3.server.setClock(ahead: Self.day * 2)
            try await store.refresh("id", completionID: "id")
            let second = try await date()
            #expect(second != first)
            // So do who reads it, and who stores the same.
            try await s3.server.setClock(ahead: Self.day * 4)
            #expect(try await store.load("id", completionID: "id") == Self.content)
            let third = try await date()
            #expect(third != second)
            try await s3.server.setClock(ahead: Self.day * 6)
            _ = try await store.store(Self.content, completionID: "id")
            #expect(try await date() != third)
            #expect(try await store.load("id", completionID: "id") == Self.content)
            #expect(s3.methods.count(where: { $0 == "PUT" }) == 5)
        }
    }

    @Test func longerWaitsAreMarkedAndTheMarkIsKept() async throws {
        try await FaultyS3.run { s3 in
            let store = try s3.store { $0.encryption = .managed }
            let bucket = TestBucket(endpoint: s3.server.endpoint)
            func mark() async throws -> Int? {
                try await bucket.headers("workflows/id").first(name: "x-amz-meta-keep-until").flatMap { Int($0) }
            }
            _ = try await store.store(Self.content, completionID: "id")
            #expect(try await mark() == nil)
            try await store.refresh("id", completionID: "id", for: Self.day * 100)
            let marked = try #require(try await mark())
            #expect(marked > SystemClock.milliseconds() / 1000 + 115 * 86_400)
            let copy = try #require(s3.proxy.requests.last { $0.headers.contains(name: "x-amz-copy-source") })
            #expect(copy.headers.first(name: "x-amz-server-side-encryption") == "AES256")
            try await s3.server.setClock(ahead: Self.day * 20)
            try await store.refresh("id", completionID: "id")
            #expect(try await mark() == marked)
            #expect(try await store.load("id", completionID: "id") == Self.content)
        }
    }

    @Test func aWaitThatTheLifecycleRuleHasNoTimeForIsRefused() async throws {
        try await FaultyS3.run { s3 in
            let store = try s3.store { $0.retention = S3Retention(lifecycleDays: 46) }
            _ = try await store.store(Self.content, completionID: "id")
            try await store.refresh("id", completionID: "id", for: Self.day * 29)
            let error = await expectCode(.cannotBeKept) {
                try await store.refresh("id", completionID: "id", for: Self.day * 31)
            }
            #expect(error?.reason.contains("for 30 days") == true && error?.isTransient == false)
        }
    }

    @Test func aCopyThatFailsMidwayIsRepeated() async throws {
        try await FaultyS3.run { s3 in
            let store = try s3.store()
            _ = try await store.store(Self.content, completionID: "id")
            s3.fail(.none, .answer(200, code: "InternalError"), .answer(200, code: "SlowDown"))
            try await store.refresh("id", completionID: "id", for: Self.day * 30)
            #expect(s3.methods == ["PUT", "HEAD", "PUT", "PUT", "PUT"])
        }
    }

    @Test func workflowsRunWithIt() async throws {
        try await FaultyS3.run { s3 in
            let stage = try await Stage(
                storage: DedupCallbackStorage(try s3.store(), inlineLimit: 0, cache: WorkflowCache()))
            let task = stage.task
            try await Workflow(
                Chain(
                    Group(children: (1...20).map { .message(task.message("\($0)")) }), task.message("then"),
                    task.message("last")),
                broker: stage.broker
            ).run()
            #expect(s3.methods == ["PUT"], "once for all of the group")
            try await stage.work()
            #expect(stage.ran.count == 22)
            #expect(stage.ran.values.suffix(2) == ["then", "last"])
        }
    }
}

/// Expects an error of a store with a code.
@discardableResult
func expectCode(
    _ code: S3StoreError.Code,
    sourceLocation: SourceLocation = #_sourceLocation,
    _ body: () async throws -> some Any
) async -> S3StoreError? {
    do {
        let value = try await body()
        Issue.record("\(code) expected, got \(value)", sourceLocation: sourceLocation)
    } catch let error as S3StoreError {
        #expect(error.code == code, "\(error)", sourceLocation: sourceLocation)
        return error
    } catch {
        Issue.record("\(code) expected, got \(error)", sourceLocation: sourceLocation)
    }
    return nil
}
