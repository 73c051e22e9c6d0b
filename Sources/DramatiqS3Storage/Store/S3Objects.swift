import AsyncHTTPClient
import Crypto
import Foundation
import Synchronization

/// The objects of a store: what is done with each of them, in requests.
struct S3Objects: Sendable {
    private static let contentType = "application/json"
    private static let checksumMode = ("x-amz-checksum-mode", "ENABLED")
    /// How often something is stored again that was removed while it was compared.
    private static let maxRounds = 3

    let client: S3Client
    /// Whether the server has said that it has no conditional writes.
    private let isUnconditional: SharedFlag

    init(_ client: S3Client) {
        self.client = client
        isUnconditional = SharedFlag(!client.configuration.hasConditionalWrites)
    }

    private var configuration: S3Configuration { client.configuration }

    // MARK: Whole contents

    /// Stores an object unless it is there.
    ///
    /// - Parameter isSame: whether what is there, with other bytes, stands for the same content.
    /// - Returns: the object that was there before, with the same content; `nil` if it is new.
    /// - Throws: ``S3StoreError``, with the code `conflict` if there is something else.
    func put(_ key: String, _ content: [UInt8], isSame: ([UInt8]) -> Bool) async throws -> S3Object? {
        let checksum = Data(SHA256.hash(data: content)).base64EncodedString()
        for _ in 0..<Self.maxRounds {
            if isUnconditional.isSet {
                if let there = try await head(key, "store") {
                    if let same = try await compared(there, key, content, checksum, isSame) { return same }
                    continue
                }
                _ = try await client.send(putRequest(key, content, checksum, isConditional: false))
                return nil
            }
            switch try await client.send(putRequest(key, content, checksum, isConditional: true)).status {
            case 200: return nil
            case 501: isUnconditional.set()
            default:
                if let there = try await head(key, "store"),
                    let same = try await compared(there, key, content, checksum, isSame)
                {
                    return same
                }
            }
        }
        throw client.error(
            .unavailable, S3Request("store", "PUT", key: key), "The object comes and goes while it is stored")
    }

    private func putRequest(_ key: String, _ content: [UInt8], _ checksum: String, isConditional: Bool) -> S3Request {
        var request = S3Request("store", "PUT", key: key)
        request.headers =
            [
                ("content-type", Self.contentType), (S3Object.checksum, checksum),
                ("x-amz-sdk-checksum-algorithm", "SHA256"),
            ] + encryption
        request.body = content
        if isConditional {
            request.headers.append(("if-none-match", "*"))
            request.expected = [200, 412, 501]
        }
        return request
    }

    /// - Returns: the object if its content is this one; `nil` if it was removed meanwhile.
    private func compared(
        _ there: S3Object,
        _ key: String,
        _ content: [UInt8],
        _ checksum: String,
        _ isSame: ([UInt8]) -> Bool
    ) async throws -> S3Object? {
        if there.checksum == checksum { return there }
        do {
            let bytes = try await get(key, "store").content
            if bytes == content || isSame(bytes) { return there }
        } catch let error as S3StoreError where error.code == .missing {
            return nil
        } catch let error as S3StoreError where error.code == .tooLarge {
            // What is larger than anything that is stored is something else.
        }
        throw client.error(
            .conflict, S3Request("store", "PUT", key: key), "Something else is stored there, and is not overwritten")
    }

    /// - Throws: ``S3StoreError``.
    func get(_ key: String, _ operation: String = "load") async throws -> (content: [UInt8], object: S3Object) {
        var request = S3Request(operation, "GET", key: key, headers: [Self.checksumMode])
        request.maxAnswer = configuration.maxSize
        let response = try await client.send(request) { response throws(S3StoreError) in
            guard let checksum = S3Object(response).checksum else { return }
            guard checksum == Data(SHA256.hash(data: response.body)).base64EncodedString() else {
                throw client.error(.corrupt, request, "Its bytes don't have the checksum that it was stored with")
            }
        }
        return (response.body, S3Object(response))
    }

    // MARK: What is known of them

    /// - Returns: `nil` if there is no such object.
    func head(_ key: String, _ operation: String) async throws -> S3Object? {
        do {
            return S3Object(try await client.send(look(key, operation)))
        } catch let error as S3StoreError where error.code == .missing {
            return nil
        }
    }

    private func look(_ key: String, _ operation: String) -> S3Request {
        S3Request(operation, "HEAD", key: key, headers: [Self.checksumMode])
    }

    /// A page of those whose keys begin with the store's prefix.
    func list(after continuation: String?) async throws -> (page: S3ListReply, now: Int) {
        var request = S3Request("list", "GET")
        request.query = [("list-type", "2"), ("encoding-type", "url"), ("prefix", configuration.prefix)]
        if let continuation { request.query.append(("continuation-token", continuation)) }
        let response = try await client.send(request)
        do {
            return (try S3ListReply(response.body), response.date)
        } catch {
            throw client.error(.malformedReply, request, "The answer is no list of objects")
        }
    }

    // MARK: Their age

    /// Gives an object a new date, by copying it onto itself.
    ///
    /// - Throws: ``S3StoreError``, with the code `missing` if it is gone.
    func renew(_ key: String, keepUntil: Int?) async throws {
        var request = S3Request("refresh", "PUT", key: key)
        request.headers =
            [
                ("content-type", Self.contentType), ("x-amz-metadata-directive", "REPLACE"),
                (
                    "x-amz-copy-source",
                    "/\(configuration.bucket)/\(URIEncoding.encode(key, keepsSlashes: true))"
                ),
            ] + encryption
        if let keepUntil { request.headers.append((S3Object.keepUntil, "\(keepUntil)")) }
        _ = try await client.send(request) { response throws(S3StoreError) in
            // A copy that fails midway has the status 200, and an error as its answer.
            guard let root = try? XMLElement(parsing: response.body), root.name == "CopyObjectResult" else {
                throw client.error(.unavailable, request, "The server began to copy the object onto itself and failed")
            }
        }
    }

    /// Removes an object that is over.
    ///
    /// - Returns: whether it was there, and was removed.
    func remove(_ key: String, if isOver: (S3Object) -> Bool) async throws -> Bool {
        var request = S3Request("remove", "DELETE", key: key)
        request.expected = [200, 204, 404]
        var wasOver = false
        do {
            let look = look(key, "look at")
            return try await client.send(request, after: look) { response in
                wasOver = isOver(S3Object(response))
                return wasOver
            } != nil
        } catch let error as S3StoreError where error.code == .missing {
            // A request that had no answer has removed it, then.
            return wasOver
        }
    }

    /// Removes an object. What isn't there is no error.
    ///
    /// - Throws: ``S3StoreError``.
    func remove(_ key: String) async throws {
        var request = S3Request("remove", "DELETE", key: key)
        request.expected = [200, 204, 404]
        _ = try await client.send(request)
    }

    private var encryption: [(name: String, value: String)] {
        (configuration.encryption?.headers ?? []).map { ($0[0], $0[1]) }
    }
}

/// Is set once, by whoever finds it out.
private final class SharedFlag: Sendable {
    private let value: Atomic<Bool>

    init(_ isSet: Bool) {
        value = Atomic(isSet)
    }

    var isSet: Bool { value.load(ordering: .relaxed) }

    func set() {
        value.store(true, ordering: .relaxed)
    }
}
