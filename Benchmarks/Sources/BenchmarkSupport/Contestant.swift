/// One that does a comparison's work: this library, a peer, or a physical limit.
public struct Contestant {
    public let name: String
    let round: (_ seconds: Double) async throws -> Measurement

    /// One whose rounds take as long as their work takes.
    public init(_ name: String, round: @escaping () async throws -> Measurement) {
        self.name = name
        self.round = { _ in try await round() }
    }

    /// One that repeats a short piece of work for as long as a round shall be.
    ///
    /// - Parameter unitsPerCall: how many units one call of the body does.
    public init(_ name: String, unitsPerCall: Double = 1, repeating body: @escaping () throws -> Void) {
        self.name = name
        round = { seconds in
            try await Measurement.repeating(unitsPerCall: unitsPerCall, seconds: seconds, body)
        }
    }

    /// One in another process.
    ///
    /// - Parameters:
    ///   - benchmark: its name there.
    ///   - arguments: what the benchmark is given by name.
    public init(_ name: String, _ peer: Peer, _ benchmark: String, _ arguments: [String: PeerArgument] = [:]) {
        self.name = name
        round = { seconds in try await peer.round(benchmark, seconds: seconds, arguments) }
    }
}

/// What is measured: the same work done by several.
public struct Comparison {
    /// A ratio to reach.
    public struct Aim: Sendable {
        /// Who is compared with.
        public let name: String
        /// How many times as fast the first contestant shall be.
        public let factor: Double

        public static func atLeast(_ factor: Double, times name: String) -> Aim {
            Aim(name: name, factor: factor)
        }
    }

    public let name: String
    /// What is counted per second, in the plural.
    public let unit: String
    /// The first one is ours: ratios are its rates over the others'.
    public internal(set) var contestants: [Contestant]
    public let aims: [Aim]
    /// The most rounds that it is worth, for work that takes long.
    public let maxRounds: Int

    public init(
        _ name: String,
        unit: String,
        aims: [Aim] = [],
        maxRounds: Int = .max,
        _ contestants: Contestant...
    ) {
        self.init(name, unit: unit, aims: aims, maxRounds: maxRounds, contestants)
    }

    public init(
        _ name: String,
        unit: String,
        aims: [Aim] = [],
        maxRounds: Int = .max,
        _ contestants: [Contestant]
    ) {
        self.name = name
        self.unit = unit
        self.aims = aims
        self.maxRounds = maxRounds
        self.contestants = contestants
    }
}
