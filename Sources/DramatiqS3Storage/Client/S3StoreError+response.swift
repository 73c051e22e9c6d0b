import Dramatiq
import NIOHTTP1

extension S3StoreError {
    /// What the server calls credentials whose time is over.
    static let endedCredentials: Set<String> = ["ExpiredToken", "InvalidToken", "TokenRefreshRequired"]
    /// What it says of a request that may work soon, whatever the status.
    private static let passing: Set<String> = [
        "InternalError", "ServiceUnavailable", "RequestTimeout", "OperationAborted", "ConditionalRequestConflict",
    ]
    private static let throttling: Set<String> = [
        "SlowDown", "Throttling", "ThrottlingException", "RequestLimitExceeded", "TooManyRequests",
        "BandwidthLimitExceeded",
    ]
    private static let damage: Set<String> = ["BadDigest", "XAmzContentSHA256Mismatch", "XAmzContentChecksumMismatch"]
    /// As much of the server's words as is repeated, in bytes.
    private static let wordLimit = 128
    private static let textLimit = 1024

    /// The error of an answer that is none that was expected.
    init(_ response: S3Response, to request: S3Request, bucket: String, signedBy credentials: S3Credentials) {
        let reply = S3ErrorReply(response.body)
        let word = reply.code.map { PrintableText.escape($0, limit: Self.wordLimit) }
        let code = Self.code(response.status, word ?? "", request)
        var reason = reply.message ?? Self.reason(code, response.status)
        // A server that repeats what was sent to it.
        let secrets = [credentials.secretAccessKey, credentials.sessionToken].compactMap(\.self)
        if secrets.contains(where: reason.containsBytes) { reason = Self.reason(code, response.status) }
        if let region = response.headers.first(name: "x-amz-bucket-region") ?? reply.region, code != .missing {
            reason += "; the bucket is in the region \(region)"
        }
        self.init(
            code, request.operation, bucket: bucket, key: request.key,
            PrintableText.escape(reason, limit: Self.textLimit))
        status = response.status
        serverCode = word
        requestID = (response.headers.first(name: "x-amz-request-id") ?? reply.requestID)
            .map { PrintableText.escape($0, limit: Self.wordLimit) }
    }

    private static func code(_ status: Int, _ word: String, _ request: S3Request) -> Code {
        if throttling.contains(word) || status == 429 { return .throttled }
        if passing.contains(word) || (status >= 500 && status != 501) { return .unavailable }
        if damage.contains(word) { return .corrupt }
        switch (status, word) {
        case (404, "NoSuchBucket"): return .missingBucket
        case (404, _): return request.key.isEmpty ? .missingBucket : .missing
        case (401, _), (403, _): return .accessDenied
        case (400, _) where endedCredentials.contains(word): return .accessDenied
        case (300..<400, _): return .redirected
        default: return .refused
        }
    }

    private static func reason(_ code: Code, _ status: Int) -> String {
        switch code {
        case .missing: "There is no such object"
        case .missingBucket: "There is no such bucket"
        case .accessDenied: "The server doesn't allow it"
        case .redirected: "The server sends requests elsewhere"
        case .throttled: "There are too many requests"
        default: "The server answers with the status \(status)"
        }
    }
}
