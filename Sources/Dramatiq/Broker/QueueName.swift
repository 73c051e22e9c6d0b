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

    private static func isLetter(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20) || byte == UInt8(ascii: "_")
    }
}
