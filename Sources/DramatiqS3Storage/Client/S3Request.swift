import AsyncHTTPClient
import Crypto
import NIOCore
import NIOHTTP1

/// A request for an object, or for a list of them.
struct S3Request: Sendable {
    /// What is to be done, as errors say it: "store".
    var operation: String
    var method: String
    /// The object's key; empty for the bucket.
    var key = ""
    var query: [(name: String, value: String)] = []
    var headers: [(name: String, value: String)] = []
    var body: [UInt8] = []
    /// The most bytes that the answer may have.
    var maxAnswer = S3Request.smallAnswer
    /// The statuses that are no error to who asks.
    var expected: Set<Int> = [200]

    /// Room for the list of a thousand keys, or for an error.
    static let smallAnswer = 4 << 20

    init(
        _ operation: String,
        _ method: String,
        key: String = "",
        query: [(name: String, value: String)] = [],
        headers: [(name: String, value: String)] = []
    ) {
        self.operation = operation
        self.method = method
        self.key = key
        self.query = query
        self.headers = headers
    }

    /// The request as it is sent, signed.
    func signed(for endpoint: S3Endpoint, region: String, by credentials: S3Credentials, at date: UTCDate)
        -> HTTPClientRequest
    {
        let hash = body.isEmpty ? SignatureV4.emptyHash : SignatureV4.hexadecimal(SHA256.hash(data: body))
        var headers =
            headers + [("host", endpoint.host), ("x-amz-content-sha256", hash), ("x-amz-date", date.stamp)]
        if let token = credentials.sessionToken { headers.append(("x-amz-security-token", token)) }
        let path = endpoint.path + URIEncoding.encode(key, keepsSlashes: true)
        let authorization = SignatureV4(region: region, service: "s3", credentials: credentials, date: date)
            .authorization(
                for: SignatureV4.Request(method: method, path: path, query: query, headers: headers, bodyHash: hash))
        let search = query.isEmpty ? "" : "?" + SignatureV4.encodedQuery(query)
        var request = HTTPClientRequest(url: "\(endpoint.scheme)://\(endpoint.host)\(path)\(search)")
        request.method = HTTPMethod(rawValue: method)
        request.headers = HTTPHeaders(headers + [("authorization", authorization)])
        if !body.isEmpty || method == "PUT" { request.body = .bytes(ByteBuffer(bytes: body)) }
        return request
    }
}

/// A complete answer.
struct S3Response: Sendable {
    let status: Int
    let headers: HTTPHeaders
    let body: [UInt8]

    /// The moment of the answer by the server's clock, which its objects' dates are of; ours if it doesn't say.
    let date: Int
}
