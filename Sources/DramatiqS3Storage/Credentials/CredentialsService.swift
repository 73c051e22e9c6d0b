import AsyncHTTPClient
import Dramatiq
import Foundation
import NIOCore
import NIOHTTP1

/// Asks a service close by for credentials: with little patience, and without following it elsewhere.
struct MetadataService {
    private static let timeout = Duration.seconds(2)
    private static let attempts = 3
    private static let maxSize = 65_536

    private let client: HTTPClient
    /// What errors call it.
    private let name: String

    init(client: HTTPClient?, name: String) {
        self.client = client ?? .forS3
        self.name = name
    }

    /// - Returns: the body of the answer.
    /// - Throws: ``S3CredentialsError``, which repeats nothing of what was sent or received; `CancellationError`.
    func ask(_ method: String, _ url: String, headers: [(String, String)]) async throws -> [UInt8] {
        var request = HTTPClientRequest(url: url)
        request.method = HTTPMethod(rawValue: method)
        request.headers = HTTPHeaders(headers)
        var attempt = 1
        while true {
            do {
                return try await answer(to: request)
            } catch let error as S3CredentialsError where error.isTransient && attempt < Self.attempts {
                attempt += 1
                try await Task.sleep(for: .milliseconds(Int.random(in: 20...200)))
            }
        }
    }

    private func answer(to request: HTTPClientRequest) async throws -> [UInt8] {
        let (status, body): (UInt, [UInt8])
        do {
            (status, body) = try await withTimeout(Self.timeout) { [client] in
                let response = try await client.execute(request, deadline: .distantFuture)
                guard response.history.count <= 1 else { return (UInt(302), []) }
                return (response.status.code, Array(buffer: try await response.body.collect(upTo: Self.maxSize)))
            }
        } catch {
            try Task.checkCancellation()
            throw S3CredentialsError("No answer of \(name) (\(type(of: error)))", isTransient: true)
        }
        guard status == 200 else {
            throw S3CredentialsError("The status \(status) of \(name)", isTransient: status >= 500 || status == 429)
        }
        return body
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
        var expiration: Date?
        if let text = object["Expiration"]?.stringValue {
            guard let date = UTCDate(iso8601: text) else {
                throw S3CredentialsError("The answer of \(name) has an expiration that can't be read")
            }
            expiration = Date(timeIntervalSince1970: Double(date.seconds))
        }
        try self.init(
            accessKeyID: id, secretAccessKey: secret, sessionToken: object["Token"]?.stringValue,
            expiration: expiration)
    }
}
