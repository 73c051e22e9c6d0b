import Crypto
import Testing

@testable import DramatiqS3Storage

/// What AWS publishes as examples of signatures.
@Suite(.timeLimit(.minutes(10))) struct SignatureTests {
    /// `get-vanilla` and `get-vanilla-query-order-key-case` of AWS's test suite for Signature Version 4.
    @Test(
        arguments: [
            ([], "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
            (
                [("Param2", "value2"), ("Param1", "value1")],
                "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"
            ),
        ] as [([(name: String, value: String)], String)])
    func vectorsOfTheSuite(query: [(name: String, value: String)], signature: String) throws {
        let signer = SignatureV4(
            region: "us-east-1", service: "service",
            credentials: try S3Credentials(
                accessKeyID: "AKIDEXAMPLE", secretAccessKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
            date: UTCDate(seconds: 1_440_938_160))
        let authorization = signer.authorization(
            for: SignatureV4.Request(
                method: "GET", path: "/", query: query,
                headers: [("Host", "example.amazonaws.com"), ("X-Amz-Date", "20150830T123600Z")],
                bodyHash: SignatureV4.emptyHash))
        #expect(
            authorization == "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
                + "SignedHeaders=host;x-amz-date, Signature=\(signature)")
    }

    struct Example: Sendable {
        var method = "GET"
        var path = "/"
        var query: [(name: String, value: String)] = []
        var headers: [(name: String, value: String)] = []
        var body = ""
        var names: String
        var signature: String
    }

    /// https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
    @Test(arguments: [
        Example(
            path: "/test.txt", headers: [("Range", "bytes=0-9")], names: "host;range;x-amz-content-sha256;x-amz-date",
            signature: "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"),
        Example(
            method: "PUT", path: "/" + URIEncoding.encode("test$file.text"),
            headers: [("Date", "Fri, 24 May 2013 00:00:00 GMT"), ("x-amz-storage-class", "REDUCED_REDUNDANCY")],
            body: "Welcome to Amazon S3.", names: "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
            signature: "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"),
        Example(
            query: [("lifecycle", "")], names: "host;x-amz-content-sha256;x-amz-date",
            signature: "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"),
        Example(
            query: [("prefix", "J"), ("max-keys", "2")], names: "host;x-amz-content-sha256;x-amz-date",
            signature: "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"),
    ])
    func examplesOfS3(example: Example) throws {
        let signer = SignatureV4(
            region: "us-east-1", service: "s3",
            credentials: try S3Credentials(
                accessKeyID: "AKIAIOSFODNN7EXAMPLE", secretAccessKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
            date: UTCDate(seconds: 1_369_353_600))
        let hash = SignatureV4.hexadecimal(SHA256.hash(data: Array(example.body.utf8)))
        let authorization = signer.authorization(
            for: SignatureV4.Request(
                method: example.method, path: example.path, query: example.query,
                headers: example.headers + [
                    ("Host", "examplebucket.s3.amazonaws.com"), ("x-amz-content-sha256", hash),
                    ("x-amz-date", "20130524T000000Z"),
                ],
                bodyHash: hash))
        #expect(
            authorization == "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, "
                + "SignedHeaders=\(example.names), Signature=\(example.signature)")
    }

    @Test func datesAreThoseOfTheCalendar() throws {
        for (seconds, stamp) in [
            (0, "19700101T000000Z"), (951_782_400, "20000229T000000Z"), (1_709_164_799, "20240228T235959Z"),
            (4_107_542_399, "21000228T235959Z"), (4_107_542_400, "21000301T000000Z"), (-1, "19691231T235959Z"),
        ] {
            #expect(UTCDate(seconds: seconds).stamp == stamp)
        }
        #expect(UTCDate(http: "Fri, 24 May 2013 00:00:00 GMT")?.seconds == 1_369_353_600)
        #expect(UTCDate(iso8601: "2013-05-24T00:00:01.500Z")?.seconds == 1_369_353_601)
        #expect(UTCDate(iso8601: "2013-05-24T00:00:01Z")?.seconds == 1_369_353_601)
        for text in [
            "", "Z", "2013-05-24", "2013-13-24T00:00:00Z", "99999999999-05-24T00:00:00Z", "T:::Z", "é-5-2T1:1:1Z",
        ] {
            #expect(UTCDate(iso8601: text) == nil && UTCDate(http: text) == nil)
        }
        #expect(UTCDate(http: "Fri, 24 Mayo 2013 00:00:00 GMT") == nil)
    }

    @Test func textsAreEncodedAsSignaturesNeedIt() {
        #expect(URIEncoding.encode("aZ09-._~ +/%ä") == "aZ09-._~%20%2B%2F%25%C3%A4")
        #expect(URIEncoding.encode("a/b c", keepsSlashes: true) == "a/b%20c")
        #expect(URIEncoding.decode("aZ09-._~%20%2b%2F%25%C3%A4+") == "aZ09-._~ +/%ä ")
        for text in ["%", "%2", "%zz", "%ff"] { #expect(URIEncoding.decode(text) == nil) }
    }
}
