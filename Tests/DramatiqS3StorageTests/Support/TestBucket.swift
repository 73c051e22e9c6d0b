import AsyncHTTPClient
import DramatiqS3Storage
import NIOCore
import NIOHTTP1
import TestSupport

@testable import DramatiqS3Storage

/// The bucket of a test's server, for what stores don't do with it.
struct TestBucket {
    let endpoint: String

    private func client() throws -> S3Client {
        let configuration = S3Configuration(
            bucket: "bucket", region: S3Server.region, endpoint: endpoint,
            credentials: try S3Credentials(
                accessKeyID: S3Server.accessKeyID, secretAccessKey: S3Server.secretAccessKey))
        return S3Client(
            configuration: configuration, endpoint: try S3Endpoint(configuration),
            credentials: CredentialsCache(configuration.credentials), http: .forS3, logger: RecordingLog().logger)
    }

    func create() async throws {
        var request = S3Request("create", "PUT")
        let text =
            "<CreateBucketConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
            + "<LocationConstraint>\(S3Server.region)</LocationConstraint></CreateBucketConfiguration>"
        request.body = Array(text.utf8)
        _ = try await client().send(request)
    }

    /// Puts anything there, over what is there.
    func put(_ key: String, _ content: [UInt8], headers: [(String, String)] = []) async throws {
        var request = S3Request("put", "PUT", key: key)
        request.headers = headers.map { ($0.0, $0.1) }
        request.body = content
        _ = try await client().send(request)
    }

    func headers(_ key: String) async throws -> HTTPHeaders {
        try await client().send(S3Request("look at", "HEAD", key: key)).headers
    }

    func content(_ key: String) async throws -> [UInt8] {
        var request = S3Request("read", "GET", key: key)
        request.maxAnswer = 1 << 30
        return try await client().send(request).body
    }
}
