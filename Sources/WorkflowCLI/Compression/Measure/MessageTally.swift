/// The sizes of encoded messages, and how long encoding and decoding them took.
struct MessageTally: Sendable {
    private(set) var sizes: [Int] = []
    private(set) var encoding = Duration.zero
    private(set) var decoding = Duration.zero

    mutating func add(size: Int, encoding: Duration, decoding: Duration) {
        sizes.append(size)
        self.encoding += encoding
        self.decoding += decoding
    }

    mutating func add(_ other: MessageTally) {
        sizes += other.sizes
        encoding += other.encoding
        decoding += other.decoding
    }

    var count: Int { sizes.count }
    var total: Int { sizes.reduce(0, +) }
    var mean: Double { sizes.isEmpty ? 0 : Double(total) / Double(count) }
    var largest: Int { sizes.max() ?? 0 }

    /// Half of the messages are no larger than this.
    var median: Int { sizes.isEmpty ? 0 : sizes.sorted()[(count - 1) / 2] }

    /// Per message.
    var meanEncoding: Duration { count == 0 ? .zero : encoding / count }
    /// Per message.
    var meanDecoding: Duration { count == 0 ? .zero : decoding / count }
}
