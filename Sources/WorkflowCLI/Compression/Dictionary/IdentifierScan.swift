/// Finds UUIDs in a text: 36 hexadecimal digits and dashes.
struct IdentifierScan {
    private static let length = 36
    private static let dashes: Set = [8, 13, 18, 23]

    /// For each byte, how many bytes of UUIDs there are before it.
    private let counts: [Int32]

    init(_ text: [UInt8]) {
        var isIdentifier = [Bool](repeating: false, count: text.count)
        var place = 0
        while place + Self.length <= text.count {
            if Self.isIdentifier(text[place..<place + Self.length]) {
                for index in place..<place + Self.length { isIdentifier[index] = true }
                place += Self.length
            } else {
                place += 1
            }
        }
        var counts: [Int32] = [0]
        counts.reserveCapacity(text.count + 1)
        for flag in isIdentifier { counts.append(counts[counts.count - 1] + (flag ? 1 : 0)) }
        self.counts = counts
    }

    /// Whether a range of bytes shares any with a UUID.
    func touches(_ range: ClosedRange<Int>) -> Bool {
        counts[range.upperBound + 1] > counts[range.lowerBound]
    }

    private static func isIdentifier(_ text: ArraySlice<UInt8>) -> Bool {
        for (index, byte) in text.enumerated() {
            let isDash = byte == UInt8(ascii: "-")
            let isDigit =
                (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
                || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(byte)
            guard dashes.contains(index) ? isDash : isDigit else { return false }
        }
        return true
    }
}
