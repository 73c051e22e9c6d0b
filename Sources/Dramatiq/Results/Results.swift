/// Keeps what actors return, for whoever has sent a message to wait for.
///
///     let results = Results(backend: RedisResultBackend(client))
///     let broker = Broker(transport: transport, middleware: Broker.defaultMiddleware + [results])
///     let add = TaskActor("add", options: [.storeResults(true)]) { (a: Int, b: Int) in a + b }
///     let message = try await add.send(1, 2, to: broker)
///     let sum: Int = try await message.result(from: broker)
///
/// Results are kept if the message says so, or else its actor (`store_results`), or else the middleware. They are kept
/// with the message's end where the transport ``Transport/includes(_:)-(ResultBackend)`` the backend, and before it elsewhere. So
/// a message that was acknowledged has its result, and what follows it finds that; a message that runs twice has the result of
/// the last time. Of one that has failed for good there is its error, of one that was skipped `null`.
///
/// A result is what `Results` of Python's dramatiq keeps: its value as JSON, or
/// `{"__t": "dramatiq.results.Result", "exn": {"type": …, "msg": …}}`. With a compressor it is what that makes of it, as
/// with Python's compressing encoders; what comes plain is read as well.
public struct Results: BeforeAck, BeforeNack, SelectiveMiddleware {
    /// For how long results are kept unless said otherwise: ten minutes, as in dramatiq.
    public static let defaultTTL = Duration.seconds(600)
    /// How long is waited for a result unless said otherwise: ten seconds, as in dramatiq.
    public static let defaultTimeout = Duration.seconds(10)

    public let backend: any ResultBackend
    /// Whether results are kept of messages that don't say, and whose actors don't.
    public let storesResults: Bool
    /// For how long results are kept of messages that don't say, and whose actors don't.
    public let ttl: Duration
    /// Makes results smaller; `nil` to keep them as they are.
    public let compressor: (any Compressor)?
    /// The largest result to keep or to read, in bytes of JSON.
    public let maxSize: Int

    /// - Parameters:
    ///   - backend: where results are kept.
    ///   - storesResults: whether they are of messages that don't say, and whose actors don't. Defaults to no.
    ///   - ttl: for how long, of messages that don't say, and whose actors don't. Defaults to ten minutes.
    ///   - compressor: makes them smaller. Whoever reads them needs it, too. Defaults to none.
    ///   - maxSize: the largest one to keep or to read, in bytes of JSON. Defaults to 32 MiB, as for messages.
    public init(
        backend: any ResultBackend,
        storesResults: Bool = false,
        ttl: Duration = Results.defaultTTL,
        compressor: (any Compressor)? = nil,
        maxSize: Int = JSONMessageEncoder.defaultMaxSize
    ) {
        self.backend = backend
        self.storesResults = storesResults
        self.ttl = ttl
        self.compressor = compressor
        self.maxSize = maxSize
    }

    public var actorOptions: Set<String> { ["store_results", "result_ttl"] }
    public var failurePolicy: MiddlewareFailurePolicy { .retryThenReject }

    package var concernsPlainMessages: Bool { storesResults }

    package func isConcerned(_ context: MessageContext) -> Bool {
        context.optionIfPresent("store_results")?.isTruthy ?? storesResults
    }

    public func beforeAck(_ context: inout MessageContext) async throws {
        if context.isSuccess {
            try await store(try context.result.jsonValue(), &context)
        } else if context.isSkipped {
            try await store(.null, &context)
        }
    }

    public func beforeNack(_ context: inout MessageContext) async throws {
        let type = context.error.map { "\(Swift.type(of: $0))" } ?? "MessageFailed"
        var reason = context.error.map { "\($0)" } ?? context.failureReason ?? "unknown"
        if reason.utf8.count > PrintableText.reasonLimit {
            reason = PrintableText.escape(reason, limit: PrintableText.reasonLimit)
        }
        try await store(StoredResult.failure(type: type, reason: reason), &context)
    }

    private func store(_ value: JSONValue, _ context: inout MessageContext) async throws {
        let message = context.delivered.message
        var ttl = ttl
        if let option = context.optionIfPresent("result_ttl") {
            ttl = .clamping(milliseconds: try option.number().rounded(.up))
        }
        var bytes = Array(value.description.utf8)
        guard bytes.count <= maxSize else {
            throw ResultError(
                .tooLarge, ResultKey(message), "it has \(bytes.count) bytes, more than \(maxSize)")
        }
        if let compressor {
            let compressed = try compressor.compress(bytes)
            if compressed.count < bytes.count { bytes = compressed }
        }
        try await context.keep(ResultCommit(backend: backend, key: ResultKey(message), bytes: bytes, ttl: ttl))
    }

    /// A message's result.
    ///
    /// - Throws: ``ResultError``, or what the backend throws.
    func value(of message: Message, timeout: Duration) async throws -> JSONValue {
        let key = ResultKey(message)
        guard let bytes = try await backend.result(for: key, timeout: timeout) else {
            throw ResultError(.missing, key, timeout > .zero ? "nothing has come within \(timeout)" : "nothing is kept")
        }
        let (value, _) = try read(bytes, for: key, maxSize: maxSize)
        if let failure = StoredResult.failure(value) {
            throw ResultError(.failed, key, failure.reason, errorType: failure.type)
        }
        return value
    }

    /// The results of several messages that have ended: `null` for one that has failed for good, `nil` for one of which
    /// nothing is kept.
    ///
    /// - Returns: as many as there are keys, in their order. Together they have ``maxSize`` at most, in bytes of JSON.
    /// - Throws: ``ResultError/Code/unreadable``, ``ResultError/Code/tooLarge``, or what the backend throws.
    package func values(for keys: [ResultKey]) async throws -> [JSONValue?] {
        var values: [JSONValue?] = []
        values.reserveCapacity(keys.count)
        var size = 0
        while values.count < keys.count {
            let batch = Array(keys[values.count..<min(keys.count, values.count + Self.batchSize)])
            let found = try await backend.results(for: batch, maxSize: maxSize - size)
            for (key, bytes) in zip(batch, found) {
                guard let bytes else {
                    values.append(nil)
                    continue
                }
                let (value, count) = try read(bytes, for: key, maxSize: maxSize - size)
                size += count
                values.append(StoredResult.failure(value) == nil ? value : .null)
            }
            if found.count < batch.count { throw tooLarge(batch[found.count]) }
        }
        return values
    }

    /// How many results are asked for at once.
    private static let batchSize = 256

    private func tooLarge(_ key: ResultKey, _ error: (any Error)? = nil) -> ResultError {
        ResultError(.tooLarge, key, "with those before it there are more than \(maxSize) bytes", error)
    }

    /// Reads what was kept.
    ///
    /// - Returns: also how many bytes of JSON it has.
    /// - Throws: ``ResultError``.
    private func read(_ kept: [UInt8], for key: ResultKey, maxSize limit: Int) throws -> (value: JSONValue, size: Int) {
        do {
            var bytes = kept
            if let compressor, compressor.recognizes(bytes) {
                bytes = try compressor.decompress(bytes, maxSize: limit)
            }
            guard bytes.count <= limit else {
                throw DecodeError(.tooLarge, "It has \(bytes.count) bytes, more than \(limit)", offset: limit)
            }
            return (try JSONValue(parsing: bytes), bytes.count)
        } catch {
            let isTooLarge = limit < maxSize && (error as? DecodeError)?.code == .tooLarge
            throw isTooLarge ? tooLarge(key, error) : ResultError(.unreadable, key, "\(error)", error)
        }
    }
}

/// How failures are told from values.
private enum StoredResult {
    private static let mark = "dramatiq.results.Result"

    static func failure(type: String, reason: String) -> JSONValue {
        ["__t": .string(mark), "exn": ["type": .string(type), "msg": .string(reason)]]
    }

    static func failure(_ value: JSONValue) -> (type: String, reason: String)? {
        guard let object = value.objectValue, object["__t"]?.stringValue?.hasSameBytes(as: mark) ?? false else {
            return nil
        }
        let error = object["exn"]?.objectValue
        return (error?["type"]?.stringValue ?? "", error?["msg"]?.stringValue ?? "")
    }
}

extension ActorOption {
    /// Whether the actor's results are kept (`store_results`).
    public static func storeResults(_ store: Bool) -> ActorOption { custom("store_results", .bool(store)) }

    /// For how long the actor's results are kept (`result_ttl`).
    public static func resultTTL(_ ttl: Duration) -> ActorOption { custom("result_ttl", ttl.jsonMilliseconds) }
}

extension Message {
    /// What the message's actor has returned, in Swift or in Python, as soon as it has.
    ///
    /// - Parameters:
    ///   - type: what it is decoded as; `JSONValue` takes anything.
    ///   - broker: one with ``Results`` whose backend it is kept in.
    ///   - timeout: how long to wait for it; `.zero` to have a look. Defaults to ten seconds.
    /// - Throws: ``ResultError``; `CancellationError`; `DecodingError` if it is of another type; what the backend throws.
    public func result<Value: Decodable>(
        _ type: Value.Type = Value.self,
        from broker: Broker,
        timeout: Duration = Results.defaultTimeout
    ) async throws -> Value {
        guard let results = broker.middleware(of: Results.self) else {
            throw ResultError(.middlewareMissing, ResultKey(self), "the broker has no Results among its middleware")
        }
        return try ValueDecoder(try await results.value(of: self, timeout: timeout)).decode(type)
    }
}
