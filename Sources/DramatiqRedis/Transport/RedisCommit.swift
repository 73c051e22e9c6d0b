import Dramatiq

/// Messages for one queue, encoded.
struct QueuedMessages: Sendable {
    let queueName: String
    /// The ids in Redis and the bytes.
    var messages: [(id: String, bytes: [UInt8])]

    /// Gives each message an id of its own, as every enqueue does, and sorts them by queue.
    ///
    /// - Throws: what the encoder throws.
    static func encoded(_ envelopes: Envelopes) throws -> [QueuedMessages] {
        var rest = envelopes[...]
        return try encoded(&rest, maxCount: .max, maxSize: .max)
    }

    /// As ``encoded(_:)``, for as many messages as fit, at least one. They are taken out.
    static func encoded(
        _ envelopes: inout Slice<Envelopes>,
        maxCount: Int,
        maxSize: Int
    ) throws -> [QueuedMessages] {
        var groups = Groups()
        while groups.count < maxCount, groups.size < maxSize, let envelope = envelopes.popFirst() {
            let id = UniqueID.make()
            let bytes = try envelope.encoded(addingOption: RedisTransport.idOption, .string(id))
            groups.add(id, bytes, to: envelope.queueName)
        }
        return groups.groups
    }

    /// As ``encoded(_:)``; the first message comes along as it can be given to an actor, with its id.
    static func encodedKeepingFirst(
        _ envelopes: Envelopes
    ) throws -> (groups: [QueuedMessages], first: (id: String, envelope: Envelope)?) {
        var groups = Groups()
        var first: (String, Envelope)?
        for envelope in envelopes {
            let id = UniqueID.make()
            let envelope = envelope.adding(option: RedisTransport.idOption, .string(id))
            groups.add(id, try envelope.encoded(), to: envelope.queueName)
            if first == nil { first = (id, envelope) }
        }
        return (groups.groups, first)
    }

    private struct Groups {
        private(set) var groups: [QueuedMessages] = []
        private(set) var count = 0
        /// In bytes.
        private(set) var size = 0
        /// Those of all groups but the last one: mostly there is only that.
        private var places: [TextKey: Int] = [:]

        mutating func add(_ id: String, _ bytes: [UInt8], to queueName: String) {
            count += 1
            size += bytes.count
            if let last = groups.indices.last, groups[last].queueName.hasSameBytes(as: queueName) {
                groups[last].messages.append((id, bytes))
            } else if let place = places[TextKey(queueName)] {
                groups[place].messages.append((id, bytes))
            } else {
                if let last = groups.last { places[TextKey(last.queueName)] = groups.count - 1 }
                groups.append(QueuedMessages(queueName: queueName, messages: [(id, bytes)]))
            }
        }
    }
}

/// What the server remembers something by that was done, so that a repetition can be told from what is new.
struct CommitTag: Sendable {
    /// ``CommitID/value``.
    let commit: UInt64
    /// Which of its steps it is, from 1, if a commit is done in several.
    var step = 0

    var text: String { step == 0 ? String(commit) : "\(commit).\(step)" }
}

/// Something that is done in Redis as a whole or not at all: see ``CommitScript``.
struct RedisCommit: Sendable {
    /// What became of it. Raw values are the script's.
    enum Result: Sendable, Equatable {
        case committed
        /// Committed, and the first successor is taken.
        case relayed
        case opened
        case notReleased
        /// The message is not, or no longer, this worker's; of several acknowledgements, those at these places.
        case notHeld(places: [Int] = [])
        case barrierLost(key: String)
        case failed(String)

        /// Whether the server remembers it, for somebody who asks again.
        var isRecorded: Bool { self == .committed || self == .relayed || self == .notReleased }

        init(_ text: String) {
            switch TextKey(text) {
            case "committed": self = .committed
            case "relayed": self = .relayed
            case "opened": self = .opened
            case "not released": self = .notReleased
            default:
                if text.hasBytePrefix("not held") {
                    self = .notHeld(
                        places: text.utf8.dropFirst(8).split(separator: UInt8(ascii: " ")).compactMap {
                            Int(Substring($0))
                        })
                } else if text.hasBytePrefix("lost ") {
                    self = .barrierLost(key: String(Substring(text.utf8.dropFirst(5))))
                } else {
                    self = .failed(text.hasBytePrefix("error ") ? String(Substring(text.utf8.dropFirst(6))) : text)
                }
            }
        }
    }

    let tag: CommitTag
    /// Whether it was tried before, and may have been done.
    var isRepeated = false
    /// The message that ends with it, and how.
    var settled: (message: TakenMessage, outcome: Commit.Outcome)?
    var enqueues: [QueuedMessages] = []
    var successors: [QueuedMessages] = []
    var barriers: StateCommit?
    var result: ResultCommit?
    /// The id of the worker that takes the first successor if nothing waits before it.
    var relayWorkerID: String?
    /// For how long a rejected message is kept, in milliseconds.
    var deadLetterTTL = 0

    /// What the server is to note about the message that goes back to its queue, or has noted about the one that ends; empty
    /// for nothing. Only what is due is noted.
    fileprivate var crashes: String {
        guard let (message, outcome) = settled else { return "" }
        if case .requeue = outcome, QueueName.isCanonical(message.queueName) {
            return String(message.crashes ?? 0)
        }
        return message.crashes.map { String($0) } ?? ""
    }

    var messageCount: Int {
        enqueues.reduce(0) { $0 + $1.messages.count } + successors.reduce(0) { $0 + $1.messages.count }
    }

    /// Whether it adds to the server's memory rather than moving on what is there.
    var needsMemory: Bool { settled == nil || messageCount > 1 }

    /// Whether nobody asks again once its answer is there. What was repeated may still be on its way a first time, and a
    /// step is repeated with its commit.
    var isForgettable: Bool { !isRepeated && tag.step == 0 }

    /// About how many bytes it has on the wire.
    var size: Int {
        256 + Self.size(enqueues) + Self.size(successors) + (result?.size ?? 0)
    }

    private static func size(_ groups: [QueuedMessages]) -> Int {
        groups.reduce(0) { size, group in group.messages.reduce(size) { $0 + $1.bytes.count + 64 } }
    }
}

extension RedisCommand {
    /// Adds acknowledgements of messages that one worker has taken from one queue, as the script reads them.
    mutating func append(acknowledging messages: some Collection<TakenMessage>) {
        guard let first = messages.first else { return }
        append("a")
        append(first.taken)
        append(first.queueName)
        for message in messages { append(message.id) }
    }

    /// Adds a commit as the script reads it.
    mutating func append(_ commit: RedisCommit) {
        append("g")
        append(commit.tag.text)
        append(commit.isRepeated ? "1" : "0")
        var reason = ""
        switch commit.settled?.outcome {
        case .acknowledge?: append("a")
        case .reject(let text)?:
            append("r")
            reason = PrintableText.escape(text, limit: PrintableText.reasonLimit)
        case .requeue?: append("q")
        case nil: append("-")
        }
        append(commit.settled?.message.taken ?? "")
        append(commit.settled?.message.queueName ?? "")
        append(commit.settled?.message.id ?? "")
        append(commit.settled.map { QueueName.deadLetter(QueueName.canonical($0.message.queueName)) } ?? "")
        append(reason)
        append(commit.deadLetterTTL)
        append(commit.crashes)
        append(commit.relayWorkerID ?? "")
        append(commit.enqueues)
        append(commit.successors)
        append(commit.barriers == nil ? "0" : "1")
        if let barriers = commit.barriers { append(barriers) }
    }

    private mutating func append(_ groups: [QueuedMessages]) {
        append(groups.count)
        for group in groups {
            append(group.queueName)
            append(group.messages.count)
            for message in group.messages {
                append(message.id)
                append(message.bytes)
            }
        }
    }

}

extension RedisCommit {
    /// How many arguments of the script it is, without its result.
    var argumentCount: Int { 13 + Self.count(enqueues) + Self.count(successors) + Self.count(barriers) }

    private static func count(_ groups: [QueuedMessages]) -> Int {
        groups.reduce(1) { $0 + 2 + 2 * $1.messages.count }
    }

    private static func count(_ barriers: StateCommit?) -> Int {
        guard let barriers else { return 0 }
        return 4 + 3 * barriers.releases.count + (barriers.arrival == nil ? 0 : 4) + 4 * barriers.creations.count
            + 3 * barriers.refreshes.count + (barriers.run?.argumentCount ?? 1)
    }
}
