import Crypto
import Dramatiq
import DramatiqWorkflow

/// Two ways to keep one content: plain, or compressed behind a header, as files have it.
///
///     dramatiq-workflow 1 CODEC SIZE
///
/// Whoever stores a content that another one has compressed in another way stores the same. Names are digests, so what is
/// plain can be compared with its name. What is compressed can't be unpacked here; it is taken for the same if it has as
/// many bytes unpacked. Whoever loads it compares it with its name anyway.
enum SameContent {
    private static let magic = Array("dramatiq-workflow ".utf8)
    private static let maxHeader = 96

    /// Whether what is there under a name is what somebody wants to store there, with other bytes.
    static func isThere(_ bytes: [UInt8], for other: [UInt8], named name: String) -> Bool {
        let (there, wanted) = (Kept(bytes), Kept(other))
        guard let there, let wanted, there.size == wanted.size else { return false }
        guard there.isPlain else { return true }
        return ContentName(digest: SHA256.hash(data: Array(there.payload))).text.hasSameBytes(as: name)
    }

    private struct Kept {
        let payload: ArraySlice<UInt8>
        let size: Int
        let isPlain: Bool

        init?(_ bytes: [UInt8]) {
            guard bytes.starts(with: magic) else {
                (payload, size, isPlain) = (bytes[...], bytes.count, true)
                return
            }
            guard let end = bytes.prefix(maxHeader).firstIndex(of: UInt8(ascii: "\n")) else { return nil }
            let words = String(decoding: bytes[..<end], as: UTF8.self).split(separator: " ")
            guard words.count == 4, words[1] == "1", let size = Int(words[3]), size >= 0 else { return nil }
            (payload, self.size, isPlain) = (bytes[(end + 1)...], size, words[2] == "none")
        }
    }
}
