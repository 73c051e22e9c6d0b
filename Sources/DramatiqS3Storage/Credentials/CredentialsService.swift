import AsyncHTTPClient
import Dramatiq
import Foundation
import NIOCore
import NIOHTTP1

/// Asks a service for credentials: with little patience, and without following it elsewhere.
struct CredentialsService {
    private static let attempts = 3
    private static let maxSize = 65_536

    private let client: HTTPClient
    /// What errors call it.
    private let name: String
    private let timeout: Duration

    /// - Parameter timeout: for one attempt. Defaults to 2 s, for a service close by.
    init(client: HTTPClient?, name: String, timeout: Duration = .seconds(2)) {
        self.client = client ?? .forS3
        self.name = name
        self.timeout = timeout
    }

    /// - Parameter refusal: reads the body of an answer with another status than 200.
    /// - Returns: the body of the answer.
    /// - Throws: ``S3CredentialsError``, which repeats nothing of what was sent or received but what `refusal` makes of it;
    ///   `CancellationError`.
    func ask(
        _ method: String,
        _ url: String,
        headers: [(String, String)],
        body: [UInt8] = [],
        refusal: ([UInt8]) -> S3CredentialsError? = { _ in nil }
    ) async throws -> [UInt8] {
        var request = HTTPClientRequest(url: url)
        request.method = HTTPMethod(rawValue: method)
        request.headers = HTTPHeaders(headers)
        if !body.isEmpty { request.body = .bytes(ByteBuffer(bytes: body)) }
        var attempt = 1
        while true {
            do {
                return try await answer(to: request, refusal)
            } catch let error as S3CredentialsError where error.isTransient && attempt < Self.attempts {
                attempt += 1
                try await Task.sleep(for: .milliseconds(Int.random(in: 20...200)))
            }
        }
    }

    private func answer(
        to request: HTTPClientRequest,
        _ refusal: ([UInt8]) -> S3CredentialsError?
    ) async throws -> [UInt8] {
        let (status, body): (UInt, [UInt8])
        do {
            (status, body) = try await withTimeout(timeout) { [client] in
                let response = try await client.execute(request, deadline: .distantFuture)
                guard response.history.count <= 1 else { return (UInt(302), []) }
                return (response.status.code, Array(buffer: try await response.body.collect(upTo: Self.maxSize)))
            }
        } catch {
            try Task.checkCancellation()
            throw S3CredentialsError("No answer of \(name) (\(type(of: error)))", isTransient: true)
        }
        guard status == 200 else {
            throw refusal(body)
                ?? S3CredentialsError("The status \(status) of \(name)", isTransient: status >= 500 || status == 429)
        }
        return body
    }

    /// Whether a URL's host is this machine, and no name that begins like one of its addresses.
    static func isThisMachine(_ host: String) -> Bool {
        if ["localhost", "::1", "[::1]"].contains(host) { return true }
        let parts = host.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts.allSatisfy { UInt8($0) != nil } && parts[0] == "127"
    }
}

extension S3Credentials {
    /// Reads what metadata services answer.
    init(metadata body: [UInt8], from name: String) throws(S3CredentialsError) {
        guard let object = try? JSONValue(parsing: body).objectValue,
            object["Code"]?.stringValue.map({ $0 == "Success" }) ?? true,
            let id = object["AccessKeyId"]?.stringValue, let secret = object["SecretAccessKey"]?.stringValue
        else {
            throw S3CredentialsError("The answer of \(name) holds no credentials")
        }
        try self.init(
            accessKeyID: id, secretAccessKey: secret, sessionToken: object["Token"]?.stringValue,
            expiration: object["Expiration"]?.stringValue, from: name)
    }

    /// - Parameter expiration: when they end, as services write it.
    init(
        accessKeyID: String,
        secretAccessKey: String,
        sessionToken: String?,
        expiration: String?,
        from name: String
    ) throws(S3CredentialsError) {
        var end: Date?
        if let expiration {
            guard let date = UTCDate(iso8601: expiration) else {
                throw S3CredentialsError("The answer of \(name) has an expiration that can't be read")
            }
            end = Date(timeIntervalSince1970: Double(date.seconds))
        }
        try self.init(
            accessKeyID: accessKeyID, secretAccessKey: secretAccessKey, sessionToken: sessionToken, expiration: end)
    }
}
