import Dramatiq

/// The name of a stored content: its SHA-256 in base64url (RFC 4648, section 5) without padding. References carry it,
/// stores keep contents under it, and whoever loads one compares.
package struct ContentName: Hashable, Sendable, CustomStringConvertible {
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)
    /// Of 32 bytes.
    private static let length = 43

    package let text: String

    /// - Parameter digest: the 32 bytes of the SHA-256.
    package init(digest: some Sequence<UInt8>) {
        var text: [UInt8] = []
        text.reserveCapacity(Self.length)
        var bits: UInt32 = 0
        var count = 0
        for byte in digest {
            bits = bits << 8 | UInt32(byte)
            count += 8
            while count >= 6 {
                count -= 6
                text.append(Self.alphabet[Int(bits >> UInt32(count) & 63)])
            }
        }
        if count > 0 { text.append(Self.alphabet[Int(bits << UInt32(6 - count) & 63)]) }
        self.text = String(decoding: text, as: UTF8.self)
    }

    /// Takes exactly what ``text`` looks like and nothing else: it becomes part of keys and paths.
    package init?(_ text: String) {
        let bytes = text.utf8
        guard bytes.count == Self.length, bytes.allSatisfy(Self.alphabet.contains) else { return nil }
        // The last digit stands for four bits.
        guard let last = bytes.last.flatMap({ Self.alphabet.firstIndex(of: $0) }), last & 3 == 0 else { return nil }
        self.text = text
    }

    /// The bytes of the digest.
    package var digest: [UInt8] {
        var bytes: [UInt8] = []
        var bits: UInt32 = 0
        var count = 0
        for digit in text.utf8 {
            bits = bits << 6 | UInt32(Self.alphabet.firstIndex(of: digit) ?? 0)
            count += 6
            if count >= 8 {
                count -= 8
                bytes.append(UInt8(truncatingIfNeeded: bits >> UInt32(count)))
            }
        }
        return bytes
    }

    package var description: String { text }

    package static func == (left: ContentName, right: ContentName) -> Bool { left.text.hasSameBytes(as: right.text) }

    package func hash(into hasher: inout Hasher) { text.hashBytes(into: &hasher) }
}
