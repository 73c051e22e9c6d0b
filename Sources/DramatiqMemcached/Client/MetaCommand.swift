import Dramatiq
import NIOCore

/// A command of Memcached's meta protocol; each has one answer.
///
/// https://github.com/memcached/memcached/blob/master/doc/protocol.txt
struct MetaCommand: Sendable {
    /// The longest key that a server takes, in bytes.
    static let maxKeyLength = 250

    let key: String
    private let name: StaticString
    private let flags: String
    private let value: String?

    init(_ name: StaticString, _ key: String, _ flags: String, value: String? = nil) {
        self.name = name
        self.key = key
        self.flags = flags
        self.value = value
    }

    /// Asks for a key's value, flags, token and remaining time.
    static func get(_ key: String) -> MetaCommand {
        MetaCommand("mg", key, " v f c t")
    }

    /// Asks for the same without the value.
    static func look(_ key: String) -> MetaCommand {
        MetaCommand("mg", key, " f c t")
    }

    /// Sets a key that doesn't exist.
    static func add(_ key: String, _ entry: Entry, _ expiry: Expiry) -> MetaCommand {
        MetaCommand("ms", key, " ME F\(entry.flags) T\(expiry.token)", value: entry.text)
    }

    /// Sets a key that was not changed since its token was read.
    static func compareAndSet(_ key: String, token: UInt64, _ entry: Entry, _ expiry: Expiry) -> MetaCommand {
        MetaCommand("ms", key, " C\(token) F\(entry.flags) T\(expiry.token)", value: entry.text)
    }

    /// Makes a key live for a time from now on.
    static func touch(_ key: String, _ expiry: Expiry) -> MetaCommand {
        MetaCommand("mg", key, " T\(expiry.token)")
    }

    static func delete(_ key: String) -> MetaCommand {
        MetaCommand("md", key, "")
    }

    /// Does nothing; tells whether the server is there and understands.
    static let nothing = MetaCommand("mn", "", "")

    /// - Throws: ``MemcachedError/Code/invalidKey``.
    func check() throws(MemcachedError) {
        guard (1...Self.maxKeyLength).contains(key.utf8.count),
            key.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7F })
        else {
            throw MemcachedError(
                .invalidKey,
                "A key has 1 to \(Self.maxKeyLength) bytes, none of them a space or a control character: "
                    + key.excerpt(maxBytes: 300).debugDescription)
        }
    }

    func write(to buffer: inout ByteBuffer) {
        buffer.writeStaticString(name)
        if !key.isEmpty {
            buffer.writeInteger(UInt8(ascii: " "))
            buffer.writeString(key)
        }
        if let value { buffer.writeString(" \(value.utf8.count)") }
        buffer.writeString(flags)
        buffer.writeString("\r\n")
        if let value {
            buffer.writeString(value)
            buffer.writeString("\r\n")
        }
    }
}
