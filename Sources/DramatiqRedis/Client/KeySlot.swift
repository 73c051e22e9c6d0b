/// Where a cluster keeps a key.
///
/// https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/#key-distribution-model
enum KeySlot {
    static let count: UInt16 = 16_384

    /// The slot of a key: a checksum (CRC-16/XMODEM) of its tag, or of all of it.
    static func slot(of key: ArraySlice<UInt8>) -> UInt16 {
        var checksum: UInt16 = 0
        for byte in tag(of: key) ?? key {
            checksum ^= UInt16(byte) << 8
            for _ in 0..<8 { checksum = checksum & 0x8000 == 0 ? checksum << 1 : checksum << 1 ^ 0x1021 }
        }
        return checksum % count
    }

    /// A key's tag with its braces; empty if it has none. What begins with it lies in the key's slot.
    static func tag(of key: String) -> String {
        let bytes = Array(key.utf8)
        return tag(of: bytes[...]).map { "{" + String(decoding: $0, as: UTF8.self) + "}" } ?? ""
    }

    /// What stands between the first brace and the next that closes it, unless that is nothing.
    private static func tag(of key: ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
        guard let start = key.firstIndex(of: UInt8(ascii: "{")),
            let end = key[start...].firstIndex(of: UInt8(ascii: "}")), end > start + 1
        else { return nil }
        return key[(start + 1)..<end]
    }
}

extension RedisCommand {
    /// The key by which a cluster finds the server for a command: a script's first, another command's first argument.
    var routingKey: ArraySlice<UInt8>? {
        var rest = body[...]
        // A script's body begins with the number of its keys, another command's with its name.
        guard let first = rest.popArgument() else { return nil }
        if script != nil, first.elementsEqual([UInt8(ascii: "0")]) { return nil }
        return rest.popArgument()
    }
}

extension ArraySlice<UInt8> {
    /// Takes an argument, framed as a command has it, off the front.
    mutating func popArgument() -> ArraySlice<UInt8>? {
        guard popFirst() != nil else { return nil }
        let digits = prefix { $0 != UInt8(ascii: "\r") }
        let count = digits.reduce(0) { 10 * $0 + Int($1 - UInt8(ascii: "0")) }
        let start = digits.endIndex + 2
        let end = start + count
        let argument = self[start..<end]
        self = self[(end + 2)...]
        return argument
    }
}
