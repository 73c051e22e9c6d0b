import Dramatiq

/// Names of parties that have arrived, as words of one value; in its flags is how many there are.
struct ArrivalList {
    /// The longest word, in bytes.
    private static let maxWord = 250

    private var text: String
    private(set) var count: Int

    init() {
        text = ""
        count = 0
    }

    /// - Parameter entry: one that was read without its value can only be counted.
    init(_ entry: Entry) {
        text = entry.text
        count = Int(entry.mark)
    }

    var entry: Entry { Entry(text: text, flags: UInt32(truncatingIfNeeded: count) << 8) }

    /// Adds a word, once.
    ///
    /// - Returns: whether it was added.
    mutating func insert(_ word: String) -> Bool {
        guard !text.utf8.split(separator: UInt8(ascii: " ")).contains(where: { $0.elementsEqual(word.utf8) }) else {
            return false
        }
        if !text.isEmpty { text += " " }
        text += word
        count += 1
        return true
    }

    /// A party's name as one word: the ids of messages can be anything.
    ///
    /// - Throws: `RateLimitError` for one that is too long. A server forgets a value that it is to change and has no room
    ///   for, so a list must never come near what one takes.
    static func word(_ name: String) throws -> String {
        let isWord = name.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "%") } && !name.isEmpty
        if name.utf8.count <= maxWord {
            let word = isWord ? name : name.utf8.reduce(into: "%") { $0 += String($1, radix: 16) + "." }
            if word.utf8.count <= maxWord { return word }
        }
        throw RateLimitError.invalidArgument(
            "A message whose id has \(name.utf8.count) bytes can't arrive at a barrier in Memcached: "
                + "\(name.excerpt(maxBytes: 40).debugDescription)")
    }
}
