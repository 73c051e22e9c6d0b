/// The names of queues and of the two queues that go with each, as dramatiq forms them.
public enum QueueName {
    /// The queue of delayed messages: `Q.DQ`.
    public static func delayed(_ name: String) -> String {
        name.hasSuffix(".DQ") ? name : canonical(name) + ".DQ"
    }

    /// The queue of dead letters: `Q.XQ`.
    public static func deadLetter(_ name: String) -> String {
        name.hasSuffix(".XQ") ? name : canonical(name) + ".XQ"
    }

    /// The queue that a delay or dead-letter queue belongs to: `Q`.
    public static func canonical(_ name: String) -> String {
        name.hasSuffix(".DQ") || name.hasSuffix(".XQ") ? String(name.dropLast(3)) : name
    }

    /// Whether dramatiq allows the name: `[a-zA-Z_][a-zA-Z0-9._-]*`.
    public static func isValid(_ name: String) -> Bool {
        guard let first = name.utf8.first, isLetter(first) else { return false }
        return name.utf8.dropFirst().allSatisfy { byte in
            isLetter(byte) || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
                || byte == UInt8(ascii: ".") || byte == UInt8(ascii: "-")
        }
    }

    /// Why no actor, message or worker can have a queue of that name; `nil` if one can.
    ///
    /// Besides the names that dramatiq refuses, these are the ones under which something else is kept: `Q.DQ` and `Q.XQ`
    /// are the queues of delayed messages and of dead letters, and a Redis server has the others as keys. Messages that
    /// are sent there would never be taken.
    public static func objection(to name: String) -> String? {
        if !isValid(name) {
            return
                "it must start with a letter or an underscore, followed by letters, digits, dots, dashes or underscores"
        }
        switch name.utf8.last {
        case UInt8(ascii: "Q")? where hasSuffix(".DQ", name):
            return "names that end in .DQ are those of delayed messages"
        case UInt8(ascii: "Q")? where hasSuffix(".XQ", name): return "names that end in .XQ are those of dead letters"
        case UInt8(ascii: "s")? where hasSuffix(".msgs", name): return "names that end in .msgs are those of Redis keys"
        default: break
        }
        let isKey =
            name.utf8.starts(with: "__".utf8)
            && (["__heartbeats__", "__reaper__"].contains(name)
                || ["__acks__.", "__commits__."].contains { name.utf8.starts(with: $0.utf8) })
        return isKey || name.contains(".XQ.reason.") ? "it is the name of a Redis key that holds something else" : nil
    }

    /// - Throws: ``BrokerError/invalidQueueName(_:)`` if there can't be a queue of that name.
    package static func check(_ name: String) throws(BrokerError) {
        if objection(to: name) != nil { throw .invalidQueueName(name) }
    }

    private static func hasSuffix(_ suffix: String, _ name: String) -> Bool {
        name.utf8.suffix(suffix.utf8.count).elementsEqual(suffix.utf8)
    }

    private static func isLetter(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20) || byte == UInt8(ascii: "_")
    }
}
