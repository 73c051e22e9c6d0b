import Foundation

/// What a test draws by lot from: the same in every run, unless the environment's `TEST_SEED` is another number.
/// `Scripts/soak` sets one for each round.
///
/// Pass it to the test as an argument or to an expectation as its comment, so that a failure prints it.
public struct TestSeed: Sendable, CustomStringConvertible {
    private static let base = ProcessInfo.processInfo.environment["TEST_SEED"].flatMap { UInt64($0) } ?? 0

    /// Tells the seeds of a test apart.
    public let number: UInt64

    public init(_ number: some BinaryInteger) {
        self.number = UInt64(truncatingIfNeeded: number)
    }

    /// As many seeds.
    public static func first(_ count: Int) -> [TestSeed] { (1...count).map { TestSeed($0) } }

    public var value: UInt64 { number &+ Self.base &* 0x9E37_79B9_7F4A_7C15 }
    public var generator: SeededGenerator { SeededGenerator(seed: value) }
    public var description: String { "seed \(number) with TEST_SEED=\(Self.base)" }
}
