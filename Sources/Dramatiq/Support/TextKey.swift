#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// A text that serves as a name, key or id: compared and hashed by its bytes.
///
/// Swift compares texts by what they look like: `é` is one text, whether it is written as one scalar or as two. To
/// Python, to servers and on the wire these are two names. And to find out, Swift brings every run of combining marks
/// into order, which takes the square of its length, and the text came from somebody else. So whatever came from outside
/// is looked up and compared with this or with ``Swift/String/hasSameBytes(as:)``, never as a `String`.
package struct TextKey: Sendable, Hashable {
    package let text: String

    @inlinable
    @inline(__always)
    package init(_ text: String) {
        self.text = text
    }

    @inlinable
    @inline(__always)
    package static func == (left: TextKey, right: TextKey) -> Bool {
        left.text.hasSameBytes(as: right.text)
    }

    @inlinable
    @inline(__always)
    package func hash(into hasher: inout Hasher) {
        text.hashBytes(into: &hasher)
    }
}

extension TextKey: Comparable, ExpressibleByStringLiteral, CustomStringConvertible {
    package init(stringLiteral value: String) {
        self.init(value)
    }

    /// By bytes, which is the order of the scalars.
    package static func < (left: TextKey, right: TextKey) -> Bool {
        left.text.utf8.lexicographicallyPrecedes(right.text.utf8)
    }

    package var description: String { text }
}

extension String {
    /// Whether the text consists of the same bytes as another one.
    @inlinable
    @inline(__always)
    package func hasSameBytes(as other: String) -> Bool {
        utf8.count == other.utf8.count && hasBytes(of: other, at: 0)
    }

    /// Feeds the text's bytes to a hasher.
    @inlinable
    @inline(__always)
    package func hashBytes(into hasher: inout Hasher) {
        let isHashed: Void? = utf8.withContiguousStorageIfAvailable {
            hasher.combine(bytes: UnsafeRawBufferPointer($0))
        }
        if isHashed == nil {
            for byte in utf8 { hasher.combine(byte) }
        }
        // So that of two texts in a row it counts where one ends.
        hasher.combine(0xFF as UInt8)
    }

    /// A hash of the text's bytes, another one in each process.
    package var byteHash: Int {
        var hasher = Hasher()
        hashBytes(into: &hasher)
        return hasher.finalize()
    }

    /// Whether the text begins with these bytes.
    @inlinable
    @inline(__always)
    package func hasBytePrefix(_ prefix: String) -> Bool {
        hasBytes(of: prefix, at: 0)
    }

    /// Whether the text ends with these bytes.
    @inlinable
    @inline(__always)
    package func hasByteSuffix(_ suffix: String) -> Bool {
        hasBytes(of: suffix, at: utf8.count - suffix.utf8.count)
    }

    /// Whether the text has these bytes somewhere in it.
    package func containsBytes(of part: String) -> Bool {
        let bytes = [UInt8](utf8)
        let wanted = [UInt8](part.utf8)
        guard let first = wanted.first, bytes.count >= wanted.count else { return wanted.isEmpty }
        for start in 0...(bytes.count - wanted.count) where bytes[start] == first {
            if bytes[start...].starts(with: wanted) { return true }
        }
        return false
    }

    @inline(__always)
    @usableFromInline
    package func hasBytes(of part: String, at offset: Int) -> Bool {
        let length = part.utf8.count
        guard offset >= 0, offset + length <= utf8.count else { return false }
        let isSame: Bool? = utf8.withContiguousStorageIfAvailable { bytes in
            let isSame: Bool? = part.utf8.withContiguousStorageIfAvailable { others in
                guard let bytes = bytes.baseAddress, let others = others.baseAddress else { return length == 0 }
                return memcmp(bytes + offset, others, length) == 0
            }
            return isSame ?? bytes.dropFirst(offset).starts(with: part.utf8)
        }
        return isSame ?? utf8.dropFirst(offset).starts(with: part.utf8)
    }

    /// The beginning of a text for people to read, no longer than so many bytes of UTF-8, with a sign if something is
    /// left out. What looks like one character can have any number of bytes, so those are no measure.
    package func excerpt(maxBytes: Int) -> String {
        guard utf8.count > maxBytes else { return self }
        var end = utf8.index(utf8.startIndex, offsetBy: max(0, maxBytes))
        while end > utf8.startIndex, UTF8.isContinuation(utf8[end]) { end = utf8.index(before: end) }
        return String(self[..<end]) + "…"
    }

    /// More combining marks than this in a row are no writing of any language; Unicode's own format for streams allows 30
    /// (UAX #15, section 13). Swift takes the square of their number to compare or hash a text.
    static let maxMarks = 512

    /// Whether the text has more combining marks in a row than ``maxMarks``.
    var hasCostlyMarks: Bool {
        var run = 0
        for scalar in unicodeScalars {
            run = scalar.properties.canonicalCombiningClass == .notReordered ? 0 : run + 1
            if run > Self.maxMarks { return true }
        }
        return false
    }
}
