import Dramatiq
import Foundation
import NIOHTTP1
import Synchronization
import TestSupport
import Testing

@testable import DramatiqS3Storage

@Suite(.timeLimit(.minutes(10))) struct S3CredentialsTests {
    private static let body = """
        {"Code":"Success","AccessKeyId":"AKID","SecretAccessKey":"secret","Token":"token",
        "Expiration":"2100-01-01T00:00:00Z","Type":"AWS-HMAC","RoleArn":"arn"}
        """

    @Test func theEnvironmentHasThem() async throws {
        let variables = ["AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_SESSION_TOKEN": ""]
        let credentials = try await S3DefaultCredentials(environment: variables).credentials()
        #expect(credentials == (try S3Credentials(accessKeyID: "AKID", secretAccessKey: "secret")))
        for variables in [
            [:], ["AWS_ACCESS_KEY_ID": "AKID"], ["AWS_SECRET_ACCESS_KEY": "secret\n", "AWS_ACCESS_KEY_ID": "A"],
        ] {
            let error = await #expect(throws: S3CredentialsError.self) {
                try await S3EnvironmentCredentials(environment: variables).credentials()
            }
            #expect(error?.isTransient == false && error?.description.contains("secret\n") == false)
        }
        let error = await #expect(throws: S3CredentialsError.self) {
            try await S3DefaultCredentials(environment: ["AWS_EC2_METADATA_DISABLED": "true"]).credentials()
        }
        #expect(error?.description.contains("AWS_ACCESS_KEY_ID") == true && error?.isTransient == false)
    }

    @Test func aContainerHasThem() async throws {
        let token = FileManager.default.temporaryDirectory.appending(path: "token-\(UUID().uuidString)")
        try Data("first\n".utf8).write(to: token)
        defer { try? FileManager.default.removeItem(at: token) }
        try await ScriptedServer.run { request in
            ScriptedServer.answer(request.path == "/role" ? 200 : 404, [], Self.body)
        } _: { server in
            let provider = S3ContainerCredentials(environment: [
                "AWS_CONTAINER_CREDENTIALS_FULL_URI": server.endpoint + "/role",
                "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": token.path,
                "AWS_CONTAINER_AUTHORIZATION_TOKEN": "not this",
            ])
            let credentials = try await provider.credentials()
            #expect(credentials.accessKeyID == "AKID" && credentials.sessionToken == "token")
            #expect(credentials.expiration == Date(timeIntervalSince1970: 4_102_444_800))
            try Data("second".utf8).write(to: token)
            _ = try await provider.credentials()
            #expect(server.requests.map { $0.headers.first(name: "authorization") } == ["first", "second"])
            try Data("two\nlines".utf8).write(to: token)
            await #expect(throws: S3CredentialsError.self) { try await provider.credentials() }
            await #expect(throws: S3CredentialsError.self) {
                try await S3DefaultCredentials(environment: [
                    "AWS_CONTAINER_CREDENTIALS_FULL_URI": server.endpoint + "/elsewhere"
                ]).credentials()
            }
        }
    }

    @Test(arguments: [
        "http://example.com/role", "http://127.0.0.1.example.com/", "http://10.0.0.1/", "http://169.254.169.254/",
        "ftp://127.0.0.1/",
        "/role", "http://", "nonsense",
    ])
    func aContainersTokenGoesNowhereElse(url: String) async {
        let error = await #expect(throws: S3CredentialsError.self) {
            try await S3ContainerCredentials(environment: [
                "AWS_CONTAINER_CREDENTIALS_FULL_URI": url, "AWS_CONTAINER_AUTHORIZATION_TOKEN": "secret",
            ]).credentials()
        }
        #expect(error?.isTransient == false, "nothing is asked")
    }

    @Test func aMachineHasThem() async throws {
        let failures = Mutex(1)
        try await ScriptedServer.run { request in
            let token = request.headers.first(name: "x-aws-ec2-metadata-token")
            switch (request.method, request.path) {
            case ("PUT", "/latest/api/token"):
                guard request.headers.contains(name: "x-aws-ec2-metadata-token-ttl-seconds") else {
                    return ScriptedServer.answer(400)
                }
                return ScriptedServer.answer(200, [], "TOKEN")
            case ("GET", "/latest/meta-data/iam/security-credentials/") where token == "TOKEN":
                return ScriptedServer.answer(200, [], "my role\n")
            case ("GET", "/latest/meta-data/iam/security-credentials/my-role") where token == "TOKEN":
                return ScriptedServer.answer(200, [], Self.body)
            default: return ScriptedServer.answer(401)
            }
        } _: { server in
            _ = failures
            let variables = ["AWS_EC2_METADATA_SERVICE_ENDPOINT": server.endpoint + "/"]
            await #expect(throws: S3CredentialsError.self, "a role with a space is none") {
                try await S3DefaultCredentials(environment: variables).credentials()
            }
        }
        try await ScriptedServer.run { request in
            let token = request.headers.first(name: "x-aws-ec2-metadata-token")
            switch (request.method, request.path) {
            case ("PUT", _):
                let isFailure = failures.withLock { count in
                    count -= 1
                    return count >= 0
                }
                return isFailure ? [.close] : ScriptedServer.answer(200, [], "TOKEN")
            case ("GET", "/latest/meta-data/iam/security-credentials/") where token == "TOKEN":
                return ScriptedServer.answer(200, [], "my-role\n")
            case ("GET", "/latest/meta-data/iam/security-credentials/my-role") where token == "TOKEN":
                return ScriptedServer.answer(200, [], Self.body)
            default: return ScriptedServer.answer(401)
            }
        } _: { server in
            let provider = S3DefaultCredentials(environment: ["AWS_EC2_METADATA_SERVICE_ENDPOINT": server.endpoint])
            let credentials = try await provider.credentials()
            #expect(credentials.accessKeyID == "AKID")
            #expect(server.requests.map(\.method) == ["PUT", "PUT", "GET", "GET"])
        }
    }

    @Test(arguments: [
        (200, ""), (200, "x"), (200, "[]"), (200, "{}"),
        (200, #"{"Code":"Failed","AccessKeyId":"a","SecretAccessKey":"b"}"#),
        (200, #"{"AccessKeyId":"a","SecretAccessKey":"hidden b"}"#),
        (200, #"{"AccessKeyId":"","SecretAccessKey":"b"}"#),
        (200, #"{"AccessKeyId":"a","SecretAccessKey":"hidden","Expiration":"soon"}"#), (404, "hidden"), (302, "hidden"),
        (200, String(repeating: "x", count: 1 << 20)),
    ])
    func otherAnswersAreErrors(status: Int, body: String) async throws {
        try await ScriptedServer.run { _ in
            ScriptedServer.answer(status, [("location", "http://127.0.0.1:1/")], body)
        } _: { server in
            let error = await #expect(throws: S3CredentialsError.self) {
                try await S3ContainerCredentials(environment: [
                    "AWS_CONTAINER_CREDENTIALS_FULL_URI": server.endpoint
                ]).credentials()
            }
            #expect("\(error, default: "")".contains("hidden") == false)
        }
    }

    // MARK: Keeping them

    /// A provider that a test answers for.
    private final class Provider: S3CredentialsProvider {
        let gate = Gate()
        private let calls = Mutex(0)
        private let answers = Mutex<[Result<S3Credentials, S3CredentialsError>]>([])

        init(_ answers: Result<S3Credentials, S3CredentialsError>...) {
            self.answers.withLock { $0 = answers }
        }

        var count: Int { calls.withLock(\.self) }

        func credentials() async throws -> S3Credentials {
            calls.withLock { $0 += 1 }
            try await gate.wait()
            return try answers.withLock { $0.count > 1 ? $0.removeFirst() : $0[0] }.get()
        }
    }

    private static func credentials(_ id: String, until seconds: Double? = nil) throws -> S3Credentials {
        try S3Credentials(
            accessKeyID: id, secretAccessKey: "secret", expiration: seconds.map { Date(timeIntervalSince1970: $0) })
    }

    @Test func manyWaitForOneAnswer() async throws {
        let provider = Provider(.success(try Self.credentials("A")))
        let cache = CredentialsCache(provider)
        try await withThrowingTaskGroup(of: String.self) { group in
            for _ in 0..<64 { group.addTask { try await cache.credentials().accessKeyID } }
            try await eventually { provider.count == 1 }
            try await giveItAChance()
            provider.gate.open()
            for try await id in group { #expect(id == "A") }
        }
        _ = try await cache.credentials()
        #expect(provider.count == 1)
    }

    @Test func whoIsCancelledLeavesTheOthersWaiting() async throws {
        let provider = Provider(.success(try Self.credentials("A")))
        let cache = CredentialsCache(provider)
        let first = Task { try await cache.credentials() }
        try await eventually { provider.count == 1 }
        let second = Task { try await cache.credentials() }
        first.cancel()
        await #expect(throws: CancellationError.self) { try await first.value }
        // When nobody waits any more, the question ends, and the next one asks anew.
        second.cancel()
        await #expect(throws: CancellationError.self) { try await second.value }
        let third = Task { try await cache.credentials() }
        try await eventually { provider.count >= 2 }
        provider.gate.open()
        #expect(try await third.value.accessKeyID == "A")
    }

    @Test func theyAreReplacedBeforeTheyEnd() async throws {
        let now = Mutex(0.0)
        let provider = Provider(
            .success(try Self.credentials("A", until: 3600)), .failure(S3CredentialsError("none")),
            .success(try Self.credentials("B", until: 7200)), .failure(S3CredentialsError("none")))
        provider.gate.open()
        let cache = CredentialsCache(provider) { Date(timeIntervalSince1970: now.withLock(\.self)) }
        func id(at time: Double) async throws -> String {
            now.withLock { $0 = time }
            return try await cache.credentials().accessKeyID
        }
        #expect(try await id(at: 0) == "A")
        #expect(try await id(at: 3299) == "A" && provider.count == 1)
        // There are none, but the old ones still work; it is tried again a little later.
        #expect(try await id(at: 3301) == "A" && provider.count == 2)
        #expect(try await id(at: 3302) == "A" && provider.count == 2)
        #expect(try await id(at: 3332) == "B" && provider.count == 3)
        #expect(try await id(at: 6899) == "B" && provider.count == 3)
        await #expect(throws: S3CredentialsError.self) { try await id(at: 7201) }
    }

    @Test func theServerMaySayThatTheyHaveEnded() async throws {
        let provider = Provider(
            .success(try S3Credentials(accessKeyID: "OLD", secretAccessKey: "old", sessionToken: "old")),
            .success(
                try S3Credentials(
                    accessKeyID: S3Server.accessKeyID, secretAccessKey: S3Server.secretAccessKey,
                    sessionToken: "a+new/token")))
        provider.gate.open()
        try await FaultyS3.run { s3 in
            let store = try s3.store { $0.credentials = provider }
            s3.fail(.answer(400, code: "ExpiredToken"))
            _ = try await store.store([1], completionID: "id")
            #expect(provider.count == 2)
            // If that doesn't help, it is an error.
            s3.fail(always: .answer(400, code: "ExpiredToken"))
            await expectCode(.accessDenied) { try await store.load("id", completionID: "id") }
        }
    }

    @Test func noCredentialsAreAnErrorOfTheStore() async throws {
        let provider = Provider(.failure(S3CredentialsError("There is no role", isTransient: true)))
        provider.gate.open()
        var configuration = S3Configuration(bucket: "bucket", endpoint: "http://127.0.0.1:1", credentials: provider)
        configuration.patience = .seconds(2)
        configuration.minBackoff = .milliseconds(1)
        let store = try S3WorkflowStore(configuration)
        let error = await expectCode(.noCredentials) { try await store.load("id", completionID: "id") }
        #expect(error?.isTransient == true && error?.reason == "There is no role")
        #expect(provider.count > 1)
    }
}
