import TestSupport
import Testing

/// The short form of `make fuzz`.
@Suite struct FuzzTests {
    private static let inputsPerSeed = 4000

    @Test(arguments: TestSeed.first(16))
    func decodingSurvivesEverything(seed: TestSeed) throws {
        let accepted = try MessageFuzz.run(count: Self.inputsPerSeed, seed: seed.value)
        #expect(accepted > Self.inputsPerSeed / 100)
    }
}
