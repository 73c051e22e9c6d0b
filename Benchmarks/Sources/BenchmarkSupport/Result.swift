/// A number of rounds, summed up so that one disturbed round changes little.
public struct Spread: Sendable, Codable {
    public let median: Double
    /// The quartiles: half of the rounds lie between them.
    public let lower: Double
    public let upper: Double

    public init(_ values: [Double]) {
        let sorted = values.sorted()
        func quantile(_ fraction: Double) -> Double {
            guard !sorted.isEmpty else { return .nan }
            let place = fraction * Double(sorted.count - 1)
            let below = Int(place)
            let above = min(below + 1, sorted.count - 1)
            return sorted[below] + (sorted[above] - sorted[below]) * (place - Double(below))
        }
        median = quantile(0.5)
        lower = quantile(0.25)
        upper = quantile(0.75)
    }

    /// How far the quartiles lie apart, as a part of the median.
    public var relativeWidth: Double { (upper - lower) / median }
}

/// What a comparison came to.
public struct ComparisonResult: Sendable, Codable {
    /// One contestant's rounds.
    public struct Entry: Sendable, Codable {
        public let name: String
        /// Units per second.
        public let rate: Spread
        /// How many times as fast the first contestant is, from rounds that ran one after the other.
        public let ratio: Spread?
        /// The ratio to reach, if there is one.
        public let aim: Double?
        /// Blocks allocated per unit, if that is known.
        public let allocationsPerUnit: Double?

        /// Whether the aim is reached; `nil` without one.
        public var isAimReached: Bool? {
            guard let aim, let ratio else { return nil }
            return ratio.median >= aim
        }
    }

    public let name: String
    public let unit: String
    public let entries: [Entry]

    /// The first contestant's rate.
    public var rate: Double { entries.first?.rate.median ?? .nan }

    /// Reduces a comparison's rounds, which hold a measurement for each contestant.
    init(_ comparison: Comparison, rounds: [[Measurement]]) {
        name = comparison.name
        unit = comparison.unit
        entries = comparison.contestants.indices.map { index in
            let own = rounds.map { $0[index] }
            let allocations = own.compactMap { round in round.allocations.map { $0 / round.work } }
            let name = comparison.contestants[index].name
            return Entry(
                name: name,
                rate: Spread(own.map(\.rate)),
                ratio: index == 0 ? nil : Spread(rounds.map { $0[0].rate / $0[index].rate }),
                aim: comparison.aims.first { $0.name == name }?.factor,
                allocationsPerUnit: allocations.isEmpty ? nil : Spread(allocations).median
            )
        }
    }
}

/// A number that no race gives: a growth, a size, a count.
public struct Figure: Sendable, Codable {
    public let name: String
    public let value: Double
    public let unit: String
    /// The largest value that is good, if there is one.
    public let limit: Double?

    public init(_ name: String, _ value: Double, unit: String, limit: Double? = nil) {
        self.name = name
        self.value = value
        self.unit = unit
        self.limit = limit
    }

    /// Whether the value is within its limit; `nil` without one.
    public var isWithinLimit: Bool? { limit.map { value <= $0 } }
}
