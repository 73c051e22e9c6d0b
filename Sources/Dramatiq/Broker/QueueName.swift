/// The names of queues and of the two queues that go with each, as dramatiq forms them.
public enum QueueName {
    /// The queue of delayed messages: `Q.DQ`.
    public static func delayed(_ name: String) -> String {
        isDelayed(name) ? name : canonical(name) + ".DQ"
    }

    /// The queue of dead letters: `Q.XQ`.
    public static func deadLetter(_ name: String) -> String {
        isDeadLetter(name) ? name : canonical(name) + ".XQ"
    }

    /// The queue that a delay or dead-letter queue belongs to: `Q`.
    public static func canonical(_ name: String) -> String {
        isDelayed(name) || isDeadLetter(name) ? String(Substring(name.utf8.dropLast(3))) : name
    }

    /// Whether it is the name of a queue of delayed messages.
    package static func isDelayed(_ name: String) -> Bool { name.hasByteSuffix(".DQ") }

    /// Whether it is the name of a queue of dead letters.
    package static func isDeadLetter(_ name: String) -> Bool { name.hasByteSuffix(".XQ") }

    /// Whether it is the name of a queue that actors can have.
    package static func isCanonical(_ name: String) -> Bool { !isDelayed(name) && !isDeadLetter(name) }

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
    /// are the queues of delayed messages and of dead letters, and transports reserve the others. Messages that are sent
    /// there would never be taken.
    public static func objection(to name: String) -> String? {
        if !isValid(name) {
            return
                "it must start with a letter or an underscore, followed by letters, digits, dots, dashes or underscores"
        }
        if isDelayed(name) { return "names that end in .DQ are those of delayed messages" }
        if isDeadLetter(name) { return "names that end in .XQ are those of dead letters" }
        return ReservedQueueName.objection(to: name)
    }

    /// - Throws: ``BrokerError/Code/invalidQueueName`` if there can't be a queue of that name.
    package static func check(_ name: String) throws(BrokerError) {
        if objection(to: name) != nil { throw .invalidQueueName(name) }
    }

    private static func isLetter(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20) || byte == UInt8(ascii: "_")
    }
}
