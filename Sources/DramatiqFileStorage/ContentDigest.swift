import Crypto
import Dramatiq
import DramatiqWorkflow

/// The SHA-256 of a content, by which it is stored and found.
struct ContentDigest: Hashable, Sendable {
    private static let prefix = "sha256:"
    private static let digits = Array("0123456789abcdef".utf8)

    /// In hexadecimal, 64 lower-case digits: the file's name.
    let hexadecimal: String

    init(of content: [UInt8]) {
        var hash = SHA256()
        content.withUnsafeBytes { hash.update(bufferPointer: $0) }
        self.init(bytes: hash.finalize())
    }

    /// The digest that is a content's name.
    init(_ name: ContentName) {
        self.init(bytes: name.digest)
    }

    /// Takes exactly what ``name`` looks like and nothing else.
    init?(contentName text: String) {
        guard let name = ContentName(text) else { return nil }
        self.init(name)
    }

    private init(bytes: some Sequence<UInt8>) {
        var text: [UInt8] = []
        text.reserveCapacity(2 * SHA256.byteCount)
        for byte in bytes { text += [Self.digits[Int(byte >> 4)], Self.digits[Int(byte & 15)]] }
        hexadecimal = String(decoding: text, as: UTF8.self)
    }

    /// The content's name in references.
    var name: ContentName {
        let digits = Array(hexadecimal.utf8).map { UInt8(Self.digits.firstIndex(of: $0) ?? 0) }
        return ContentName(
            digest: stride(from: 0, to: digits.count - 1, by: 2).map { digits[$0] << 4 | digits[$0 + 1] })
    }

    /// Takes exactly what ``hexadecimal`` looks like and nothing else: the text becomes part of a path.
    init?(hexadecimal text: some StringProtocol) {
        let bytes = text.utf8
        guard bytes.count == 2 * SHA256.byteCount, bytes.allSatisfy(Self.digits.contains) else { return nil }
        hexadecimal = String(text)
    }

    /// Reads what ``jsonValue`` made.
    init?(_ value: JSONValue) {
        guard let text = value.stringValue, text.hasBytePrefix(Self.prefix) else { return nil }
        self.init(hexadecimal: Substring(text.utf8.dropFirst(Self.prefix.utf8.count)))
    }

    /// As references carry it: `"sha256:9f86d081…"`.
    var jsonValue: JSONValue { .string(Self.prefix + hexadecimal) }

    /// The names of the two directories that a file lies in, one in the other.
    var fanOut: (outer: String, inner: String) {
        (String(hexadecimal.prefix(1)), String(hexadecimal.dropFirst().prefix(1)))
    }
}
