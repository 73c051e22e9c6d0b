/// Keeps the results of messages for a time: see ``Results``.
public protocol ResultBackend: Sendable {
    /// Keeps a message's result in place of an earlier one.
    ///
    /// - Parameters:
    ///   - result: as it is kept. See ``Results``.
    ///   - key: which message.
    ///   - ttl: for how long.
    /// - Throws: if the backend can't be reached or refuses; it may have been kept all the same.
    func store(_ result: [UInt8], for key: ResultKey, ttl: Duration) async throws

    /// A message's result, as soon as there is one. It stays where it is, for others that ask.
    ///
    /// - Parameters:
    ///   - key: which message.
    ///   - timeout: how long to wait for it; `.zero` to have a look.
    /// - Returns: `nil` if there is none by then.
    /// - Throws: if the backend can't be reached or refuses; `CancellationError` if the task is cancelled meanwhile.
    func result(for key: ResultKey, timeout: Duration) async throws -> [UInt8]?

    /// Has a look at the results of several messages. One after the other unless implemented.
    ///
    /// - Parameters:
    ///   - keys: some hundreds at most.
    ///   - maxSize: how many bytes they may have together.
    /// - Returns: the results in the order of the keys, `nil` where there is none; those before the one with which there would
    ///   be too many bytes, if that is so.
    /// - Throws: as ``result(for:timeout:)``.
    func results(for keys: [ResultKey], maxSize: Int) async throws -> [[UInt8]?]
}

extension ResultBackend {
    public func results(for keys: [ResultKey], maxSize: Int) async throws -> [[UInt8]?] {
        var results: [[UInt8]?] = []
        var size = 0
        for key in keys {
            let result = try await result(for: key, timeout: .zero)
            size += result?.count ?? 0
            if size > maxSize { break }
            results.append(result)
        }
        return results
    }
}

/// What tells the result of one message from all others.
public struct ResultKey: Sendable, Hashable {
    /// The message's queue, without a suffix for delayed messages and dead letters.
    public let queueName: String
    public let actorName: String
    public let messageID: String

    public init(queueName: String, actorName: String, messageID: String) {
        self.queueName = QueueName.canonical(queueName)
        self.actorName = actorName
        self.messageID = messageID
    }

    public init(_ message: Message) {
        self.init(queueName: message.queueName, actorName: message.actorName, messageID: message.messageID)
    }

    public static func == (left: ResultKey, right: ResultKey) -> Bool {
        left.messageID.hasSameBytes(as: right.messageID) && left.actorName.hasSameBytes(as: right.actorName)
            && left.queueName.hasSameBytes(as: right.queueName)
    }

    public func hash(into hasher: inout Hasher) {
        messageID.hashBytes(into: &hasher)
    }
}
