import DramatiqS3Storage
import Foundation
import Testing

@testable import DramatiqS3Storage

@Suite(.timeLimit(.minutes(10))) struct S3ConfigurationTests {
    private func endpoint(
        _ bucket: String = "my-app",
        region: String = "eu-central-1",
        endpoint: String? = nil,
        addressing: S3Addressing = .automatic
    ) throws -> String {
        var configuration = S3Configuration(bucket: bucket, region: region, addressing: addressing)
        configuration.endpoint = endpoint
        return try S3Endpoint(configuration).url
    }

    @Test func theBucketStandsWhereTheServerLooksForIt() throws {
        #expect(try endpoint() == "https://my-app.s3.eu-central-1.amazonaws.com/")
        #expect(try endpoint(region: "cn-north-1") == "https://my-app.s3.cn-north-1.amazonaws.com.cn/")
        #expect(try endpoint("my.app") == "https://s3.eu-central-1.amazonaws.com/my.app/")
        #expect(try endpoint("my.app", addressing: .virtualHost) == "https://my.app.s3.eu-central-1.amazonaws.com/")
        #expect(try endpoint(addressing: .path) == "https://s3.eu-central-1.amazonaws.com/my-app/")
        #expect(try endpoint(endpoint: "http://127.0.0.1:9000") == "http://127.0.0.1:9000/my-app/")
        #expect(try endpoint(endpoint: "https://minio.internal:443/") == "https://minio.internal/my-app/")
        #expect(try endpoint(endpoint: "http://ceph:7480", addressing: .virtualHost) == "http://my-app.ceph:7480/")
        #expect(try endpoint(endpoint: "http://[::1]:9000") == "http://[::1]:9000/my-app/")
    }

    @Test(arguments: ["", "ab", "-ab", "Abc", "a..b", "a/b", "a_b", "a\nb", String(repeating: "a", count: 64)])
    func otherBucketsAreRefused(bucket: String) {
        #expect(throws: S3StoreError.self) { try S3WorkflowStore(S3Configuration(bucket: bucket)) }
    }

    @Test(arguments: [
        "", "minio", "minio:9000", "ftp://minio", "http://", "http://user:secret@minio", "http://minio/path",
        "http://minio?x",
        "http://minio:99999", "http://minio#x",
    ])
    func otherEndpointsAreRefusedAndNotRepeated(endpoint: String) throws {
        let error = #expect(throws: S3StoreError.self) { try self.endpoint(endpoint: endpoint) }
        #expect(error?.code == .invalidConfiguration)
        #expect("\(error, default: "")".contains("secret") == false)
    }

    @Test(arguments: ["/a/", "a//b", "../", "a/../b/", "a\n", "ä/", String(repeating: "a", count: 513)])
    func otherPrefixesAreRefused(prefix: String) {
        #expect(throws: S3StoreError.self) { try S3WorkflowStore(S3Configuration(bucket: "bucket", prefix: prefix)) }
    }

    @Test func urlsAreRead() throws {
        let plain = try S3Configuration(url: "s3://my-app")
        #expect(plain.bucket == "my-app" && plain.prefix == "workflows/")
        let full = try S3Configuration(
            url: "s3://my-app/a/b%20/?region=auto&endpoint=https%3A%2F%2Fminio%3A9000&addressing=virtual")
        #expect(full.prefix == "a/b /" && full.region == "auto" && full.endpoint == "https://minio:9000")
        #expect(full.addressing == .virtualHost)
        for url in [
            "", "s3:", "s3://", "http://bucket", "s3://user:secret@bucket", "s3://bucket:1", "s3://bucket#x",
            "s3://bucket?region=a&what=b", "s3://bucket?addressing=x",
        ] {
            let error = #expect(throws: S3StoreError.self) { try S3Configuration(url: url) }
            #expect("\(error, default: "")".contains("secret") == false)
        }
    }
}
