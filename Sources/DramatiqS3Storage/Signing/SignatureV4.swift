import Crypto

/// AWS Signature Version 4: proves to a server who sends a request and that nothing in it was changed.
///
/// The steps and their names are those of
/// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html, for S3, where paths are
/// encoded once.
struct SignatureV4 {
    private static let algorithm = "AWS4-HMAC-SHA256"
    /// The hash of a request without a body.
    static let emptyHash = hexadecimal(SHA256.hash(data: [UInt8]()))

    let region: String
    let service: String
    let credentials: S3Credentials
    let date: UTCDate

    /// What is signed of a request.
    struct Request {
        var method: String
        /// The path, encoded.
        var path: String
        /// Names and values as they are, not encoded.
        var query: [(name: String, value: String)] = []
        /// All headers, with `host`, and `x-amz-date`.
        var headers: [(name: String, value: String)]
        /// The SHA-256 of the body in hexadecimal digits.
        var bodyHash: String
    }

    /// The value of the header `Authorization`.
    func authorization(for request: Request) -> String {
        let (names, canonical) = Self.canonicalRequest(request)
        let scope = "\(date.day)/\(region)/\(service)/aws4_request"
        let stringToSign = [
            Self.algorithm, date.stamp, scope, Self.hexadecimal(SHA256.hash(data: Array(canonical.utf8))),
        ].joined(separator: "\n")
        let signature = Self.hexadecimal(
            HMAC<SHA256>.authenticationCode(for: Array(stringToSign.utf8), using: signingKey))
        return "\(Self.algorithm) Credential=\(credentials.accessKeyID)/\(scope), SignedHeaders=\(names), "
            + "Signature=\(signature)"
    }

    private var signingKey: SymmetricKey {
        var key = SymmetricKey(data: Array("AWS4\(credentials.secretAccessKey)".utf8))
        for part in [date.day, region, service, "aws4_request"] {
            key = SymmetricKey(data: HMAC<SHA256>.authenticationCode(for: Array(part.utf8), using: key))
        }
        return key
    }

    /// The names of the signed headers, and the text whose hash is signed.
    static func canonicalRequest(_ request: Request) -> (names: String, text: String) {
        let headers = Dictionary(grouping: request.headers) { $0.name.lowercased() }
            .mapValues { $0.map { trimmed($0.value) }.joined(separator: ",") }
            .sorted { $0.key < $1.key }
        let names = headers.map(\.key).joined(separator: ";")
        let text =
            [request.method, request.path, encodedQuery(request.query)]
            + headers.map { "\($0.key):\($0.value)" } + ["", names, request.bodyHash]
        return (names, text.joined(separator: "\n"))
    }

    /// A query in the order in which it is signed, encoded; the same goes into the request's URL.
    static func encodedQuery(_ query: [(name: String, value: String)]) -> String {
        query.map { (URIEncoding.encode($0.name), URIEncoding.encode($0.value)) }
            .sorted { $0 < $1 }
            .map { "\($0.0)=\($0.1)" }
            .joined(separator: "&")
    }

    /// Without spaces around it, and with single ones within.
    private static func trimmed(_ value: String) -> String {
        value.split(separator: " ").joined(separator: " ")
    }

    static func hexadecimal(_ bytes: some Sequence<UInt8>) -> String {
        let digits = Array("0123456789abcdef".utf8)
        return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }
}
