import Dramatiq
import Foundation
import NIOHTTP1
import Synchronization
import TestSupport
import Testing

@testable import DramatiqS3Storage

/// Credentials for the token of a pod.
@Suite(.timeLimit(.minutes(10))) final class S3WebIdentityTests: Sendable {
    private static let role = "arn:aws:iam::123456789012:role/of the test"
    private let token = FileManager.default.temporaryDirectory.appending(path: "token-\(UUID().uuidString)")

    init() throws {
        try Data((S3Server.webIdentityToken + "\n").utf8).write(to: token)
    }

    deinit {
        try? FileManager.default.removeItem(at: token)
    }

    /// What the environment has if STS is at an endpoint.
    private func variables(_ endpoint: String) -> [String: String] {
        [
            "AWS_WEB_IDENTITY_TOKEN_FILE": token.path, "AWS_ROLE_ARN": Self.role, "AWS_ENDPOINT_URL_STS": endpoint,
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:1/", "AWS_ENDPOINT_URL": "http://not.asked.invalid",
        ]
    }

    private static func body(_ id: String = "AKID", expiration: String = "2100-01-01T00:00:00Z") -> String {
        """
        <AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
          <AssumeRoleWithWebIdentityResult><Audience>sts.amazonaws.com</Audience>
            <Credentials><SessionToken>token</SessionToken><SecretAccessKey>secret</SecretAccessKey>
              <Expiration>\(expiration)</Expiration><AccessKeyId>\(id)</AccessKeyId></Credentials>
          </AssumeRoleWithWebIdentityResult>
        </AssumeRoleWithWebIdentityResponse>
        """
    }

    private static func refusal(_ code: String) -> String {
        "<ErrorResponse><Error><Type>Sender</Type><Code>\(code)</Code><Message>hidden</Message></Error></ErrorResponse>"
    }

    @Test func aPodHasThem() async throws {
        try await FaultyS3.run { [self] s3 in
            let provider = S3DefaultCredentials(environment: variables(s3.server.endpoint))
            let store = try s3.store { $0.credentials = provider }
            let place = try await store.store([1, 2], completionID: "id")
            #expect(try await store.load(place, completionID: "id") == [1, 2])
            let credentials = try await provider.credentials()
            #expect(credentials.accessKeyID != S3Server.accessKeyID && credentials.sessionToken != nil)
            #expect(try #require(credentials.expiration) > .now)
            // The file is read anew, and what it says is no part of an error.
            try Data("another-one".utf8).write(to: token)
            let other = try s3.store { $0.credentials = provider }
            let error = await expectCode(.noCredentials) { try await other.load(place, completionID: "id") }
            #expect(error?.isTransient == false)
            #expect(error?.reason == "AWS STS refuses the token for the role: InvalidIdentityToken")
        }
    }

    @Test func theTokenIsInTheBodyAndFailuresThatPassAreRepeated() async throws {
        let answers = Mutex([
            [ScriptedServer.Step.close], ScriptedServer.answer(400, [], Self.refusal("IDPCommunicationError")),
        ])
        try await ScriptedServer.run { _ in
            answers.withLock { $0.popLast() } ?? ScriptedServer.answer(200, [], Self.body())
        } _: { [self] server in
            let provider = S3WebIdentityCredentials(environment: variables(server.endpoint + "/"))
            #expect(
                try await provider.credentials()
                    == (try S3Credentials(
                        accessKeyID: "AKID", secretAccessKey: "secret", sessionToken: "token",
                        expiration: Date(timeIntervalSince1970: 4_102_444_800))))
            #expect(server.requests.map { "\($0.method) \($0.uri)" } == Array(repeating: "POST /", count: 3))
            let request = try #require(server.requests.last)
            #expect(request.headers.first(name: "content-type") == "application/x-www-form-urlencoded")
            #expect(request.headers.contains(name: "authorization") == false)
            #expect(
                String(decoding: request.body, as: UTF8.self) == """
                    Action=AssumeRoleWithWebIdentity&Version=2011-06-15&\
                    RoleArn=arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2Fof%20the%20test&\
                    RoleSessionName=dramatiq-workflow&WebIdentityToken=a.web%2Fidentity%2Btoken
                    """)
        }
    }

    @Test(arguments: [
        (200, ""), (200, "x"), (200, "{}"), (200, "<AssumeRoleWithWebIdentityResponse/>"),
        (200, body("hidden key")), (200, body(expiration: "hidden")), (200, body(expiration: "")),
        (200, body().replacing("Secret", with: "Other")), (200, body().replacing("WithWebIdentity", with: "")),
        (200, String(repeating: "<a>", count: 10_000)), (200, String(repeating: "x", count: 1 << 20)),
        (302, "hidden"), (403, "hidden"), (403, refusal("hidden")), (403, refusal("AccessDenied")),
    ])
    func otherAnswersAreErrors(status: Int, body: String) async throws {
        try await ScriptedServer.run { _ in
            ScriptedServer.answer(status, [("location", "http://127.0.0.1:1/")], body)
        } _: { [self] server in
            let error = await #expect(throws: S3CredentialsError.self) {
                try await S3WebIdentityCredentials(environment: variables(server.endpoint)).credentials()
            }
            #expect("\(error, default: "")".contains("hidden") == false)
            #expect("\(error, default: "")".contains(S3Server.webIdentityToken) == false)
        }
    }

    @Test(arguments: [
        "http://example.com", "http://127.0.0.1.example.com/", "http://169.254.170.2/", "ftp://127.0.0.1/", "/role",
        "http://", "nonsense", "https://user:password@example.com", "https://example.com/path", "https://example.com?q",
    ])
    func aTokenGoesNowhereElse(url: String) async {
        let error = await #expect(throws: S3CredentialsError.self) {
            try await S3DefaultCredentials(environment: variables(url)).credentials()
        }
        #expect(error?.description == "The endpoint of AWS STS is no URL of https, nor of http on this machine")
    }

    @Test func whatIsMissingIsSaid() async throws {
        for name in ["AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE"] {
            var variables = variables("http://127.0.0.1:1")
            variables[name] = ""
            let incomplete = variables
            let error = await #expect(throws: S3CredentialsError.self) {
                try await S3WebIdentityCredentials(environment: incomplete).credentials()
            }
            #expect(error?.description == "AWS_WEB_IDENTITY_TOKEN_FILE and AWS_ROLE_ARN are not both set")
        }
        for text in ["", " \n", "two\nlines", String(repeating: "x", count: 20_000)] {
            try Data(text.utf8).write(to: token)
            let error = await #expect(throws: S3CredentialsError.self) {
                try await S3WebIdentityCredentials(environment: variables("http://127.0.0.1:1")).credentials()
            }
            #expect(error?.description == "The token of AWS_WEB_IDENTITY_TOKEN_FILE is empty or can't be sent")
        }
        try FileManager.default.removeItem(at: token)
        let error = await #expect(throws: S3CredentialsError.self) {
            try await S3WebIdentityCredentials(environment: variables("http://127.0.0.1:1")).credentials()
        }
        #expect(error?.isTransient == true, "it is about to be replaced")
    }
}
