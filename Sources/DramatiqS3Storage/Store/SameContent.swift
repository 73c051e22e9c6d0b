import Crypto
import Dramatiq
import DramatiqWorkflow

/// Two ways to keep one content: plain, or compressed.
///
/// Whoever stores a content that another one has compressed in another way stores the same. Names are digests, so what is
/// plain can be compared with its name. What is compressed can't be unpacked here; it is taken for the same if it has as
/// many bytes unpacked. Whoever loads it compares it with its name anyway.
enum SameContent {
    /// Whether what is there under a name is what somebody wants to store there, with other bytes.
    static func isThere(_ bytes: [UInt8], for other: [UInt8], named name: String) -> Bool {
        guard let there = try? ContentFormat.parts(of: bytes), let wanted = try? ContentFormat.parts(of: other),
            there.size == wanted.size
        else { return false }
        guard there.codec == nil else { return true }
        return ContentName(digest: SHA256.hash(data: there.payload)).text.hasSameBytes(as: name)
    }
}
