import Dramatiq
import DramatiqS3Storage
import Logging
import TestSupport
import Testing

/// What comes between a store and its server.
@Suite(.timeLimit(.minutes(10))) struct S3FaultTests {
    private static let content = Array(#"[{"__type__":"chain","children":[]}]"#.utf8)
    private static let passing: [Fault] = [
        .answer(500, code: "InternalError"), .answer(503, code: "SlowDown"), .answer(503, code: "ServiceUnavailable"),
        .answer(429, code: "TooManyRequests"), .answer(502, code: ""), .answer(409, code: "ConditionalRequestConflict"),
        .answer(400, code: "RequestTimeout"), .answer(400, code: "BadDigest"), .refused, .lost, .cut(0), .cut(5),
        .raw("HTTP/1.1 500 \r\ncontent-length: 5\r\n\r\n<html"), .raw("no HTTP at all\r\n\r\n"), .raw(""),
        .raw("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nshort"),
    ]

    /// All of them, one after the other, in front of each request.
    @Test(arguments: passing.indices) func whatPassesIsRepeated(index: Int) async throws {
        try await FaultyS3.run { s3 in
            let store = try s3.store()
            let fault = Self.passing[index]
            s3.fail(fault, fault)
            #expect(try await store.store(Self.content, completionID: "id") == "id")
            s3.fail(fault, fault)
            #expect(try await store.load("id", completionID: "id") == Self.content)
            // What only a body can tell is not told of a request that has none.
            s3.fail(index < 5 || index > 7 ? fault : .none, .none, fault)
            try await store.refresh("id", completionID: "id", for: .seconds(100 * 86_400))
            #expect(try await TestBucket(endpoint: s3.server.endpoint).content("workflows/id") == Self.content)
        }
    }

    @Test func theAnswerToAPutThatWasDoneMayBeLost() async throws {
        try await FaultyS3.run { s3 in
            s3.fail(.lost)
            let store = try s3.store()
            #expect(try await store.store(Self.content, completionID: "id") == "id")
            #expect(s3.methods == ["PUT", "PUT", "HEAD"], "the second one finds what the first one did")
        }
    }

    @Test(
        arguments: [
            (.answer(403, code: "AccessDenied"), .accessDenied),
            (.answer(403, code: "InvalidAccessKeyId"), .accessDenied),
            (.answer(400, code: "InvalidRequest"), .refused), (.answer(404, code: "NoSuchBucket"), .missingBucket),
            (.answer(405, code: "MethodNotAllowed"), .refused), (.answer(204, code: ""), .refused),
            (.raw("HTTP/1.1 307 T\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n"), .redirected),
            (
                .raw(
                    "HTTP/1.1 301 T\r\nlocation: /bucket/x\r\nx-amz-bucket-region: eu-west-1\r\ncontent-length: 0\r\n\r\n"
                ), .redirected
            ),
        ] as [(Fault, S3StoreError.Code)])
    func whatDoesNotPassIsNotRepeated(fault: Fault, code: S3StoreError.Code) async throws {
        try await FaultyS3.run { s3 in
            s3.fail(always: fault)
            let error = await expectCode(code) { try await s3.store().store(Self.content, completionID: "id") }
            #expect(error?.isTransient == false && error?.status != nil)
            #expect(s3.methods.count == 1)
            #expect(code != .redirected || error?.status == 307 || error?.reason.contains("eu-west-1") == true)
        }
    }

    @Test func wrongBytesAreNeverTakenForTheContent() async throws {
        try await FaultyS3.run { s3 in
            let store = try s3.store()
            _ = try await store.store(Self.content, completionID: "id")
            s3.fail(.damaged)
            #expect(try await store.load("id", completionID: "id") == Self.content)
            s3.fail(.longer)
            #expect(try await store.load("id", completionID: "id") == Self.content)
            s3.fail(always: .damaged)
            let error = await expectCode(.corrupt) { try await store.load("id", completionID: "id") }
            #expect(error?.isTransient == false)
            s3.fail(always: .longer)
            await expectCode(.corrupt) { try await store.load("id", completionID: "id") }
            // A server that tells no checksum: what reads the content compares it with its name.
            s3.fail(.without("x-amz-checksum-sha256"))
            #expect(try await store.load("id", completionID: "id") == Self.content)
        }
    }

    @Test func garbageInPlaceOfACopyIsNoCopy() async throws {
        try await FaultyS3.run { s3 in
            let store = try s3.store()
            _ = try await store.store(Self.content, completionID: "id")
            let garbage = ["", "<", "<CopyObjectResult>", "<html/>", String(repeating: "<a>", count: 100)]
            for (index, body) in garbage.enumerated() {
                let before = s3.methods.count
                s3.fail(.none, .raw("HTTP/1.1 200 OK\r\ncontent-length: \(body.utf8.count)\r\n\r\n\(body)"))
                // Each one waits for longer, so each one copies.
                try await store.refresh("id", completionID: "id", for: .seconds((index + 1) * 100 * 86_400))
                #expect(s3.methods[before...] == ["HEAD", "PUT", "PUT"])
            }
        }
    }

    /// Neither an answer that never comes nor one that never ends is waited for.
    @Test func anAnswerHasToBeComplete() async throws {
        try await FaultyS3.run { s3 in
            let gate = Gate()
            let store = try s3.store {
                $0.requestTimeout = .milliseconds(500)
                $0.patience = .seconds(1)
            }
            _ = try await s3.store().store(Self.content, completionID: "id")
            for fault in [.held(gate), .drip] as [Fault] {
                s3.fail(always: fault)
                let error = await expectCode(.timedOut) { try await store.load("id", completionID: "id") }
                #expect(error?.isTransient == true && error?.isOutage == true)
            }
            gate.open()
        }
    }

    @Test func anOutageIsAnErrorWhenThePatienceIsOver() async throws {
        try await FaultyS3.run { s3 in
            let store = try s3.store { $0.patience = .seconds(3) }
            let cases: [(Fault, S3StoreError.Code)] = [
                (.answer(503, code: "SlowDown"), .throttled), (.answer(500, code: "InternalError"), .unavailable),
                (.refused, .connectionFailed),
            ]
            for (fault, code) in cases {
                s3.fail(always: fault)
                let error = await expectCode(code) { try await store.load("id", completionID: "id") }
                #expect(error?.isTransient == true)
                #expect(error?.isOutage == (code != .throttled))
            }
            #expect(s3.methods.count > 2 * cases.count, "they were repeated")
            s3.server.kill()
            let nobody = try s3.store {
                $0.endpoint = s3.server.endpoint
                $0.patience = .seconds(3)
            }
            await expectCode(.connectionFailed) { try await nobody.load("id", completionID: "id") }
        }
    }

    @Test func aTaskThatIsCancelledGetsOn() async throws {
        try await FaultyS3.run { s3 in
            let (gate, store) = (Gate(), try s3.store())
            // While it waits for an answer, for its end, and before it is repeated.
            for fault in [.held(gate), .drip, .answer(503, code: "SlowDown")] as [Fault] {
                let before = s3.methods.count
                s3.fail(always: fault)
                let task = Task { try await store.load("id", completionID: "id") }
                try await eventually { s3.methods.count > before }
                task.cancel()
                await #expect(throws: CancellationError.self) { try await task.value }
            }
            gate.open()
        }
    }

    @Test func nothingShowsASecret() async throws {
        try await FaultyS3.run { s3 in
            let (secret, token) = ("THE/SECRET", "THE+TOKEN")
            let credentials = try S3Credentials(
                accessKeyID: "AKID", secretAccessKey: secret, sessionToken: token)
            let log = RecordingLog()
            var configuration = try s3.configuration {
                $0.credentials = credentials
                $0.patience = .seconds(2)
            }
            configuration.region = "us-east-1"
            let store = try S3WorkflowStore(configuration, logger: log.logger)
            var texts = ["\(credentials)", String(reflecting: credentials), "\(configuration)", "\(store)"]
            dump(credentials, to: &texts[0])
            dump(store, to: &texts[1])
            for fault in [
                .none, .answer(503, code: "SlowDown"), .refused,
                .raw(
                    "HTTP/1.1 400 No\r\ncontent-length: 75\r\n\r\n<Error><Code>InvalidToken</Code><Message>\(token) \(secret)"
                        + "</Message></Error>"),
                .raw("HTTP/1.1 302 No\r\nlocation: http://127.0.0.1:1/\(token)\r\ncontent-length: 0\r\n\r\n"),
            ] as [Fault] {
                s3.fail(always: fault)
                do {
                    _ = try await store.load("id", completionID: "id")
                } catch {
                    texts.append("\(error) \(String(reflecting: error))")
                    dump(error, to: &texts[0])
                }
            }
            #expect(texts.count == 9)
            texts += log.entries.map { "\($0)" }
            #expect(!log.entries.isEmpty)
            for text in texts { #expect(!text.contains(secret) && !text.contains(token)) }
        }
    }

    @Test func theWrongSecretIsRefused() async throws {
        try await FaultyS3.run { s3 in
            let credentials = try S3Credentials(
                accessKeyID: S3Server.accessKeyID, secretAccessKey: S3Server.secretAccessKey + "x")
            let store = try s3.store { $0.credentials = credentials }
            let error = await expectCode(.accessDenied) { try await store.store(Self.content, completionID: "id") }
            #expect(error?.serverCode == "SignatureDoesNotMatch" && error?.requestID == "R1")
        }
    }
}
