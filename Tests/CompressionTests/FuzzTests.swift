import Dramatiq
import TestSupport
import Testing

/// The short form of `make fuzz`.
@Suite struct FuzzTests {
    @Test(arguments: Format.allCases)
    func damagedInputsAreRefusedOrRead(format: Format) throws {
        let dictionary = try CompressionDictionary(try Fixtures.bytes("messages/workflow-member.json"))
        let compressor = format.compressor(dictionary: dictionary)
        let messages = try ["plain", "workflow-member", "options-all"].map { try Fixtures.bytes("messages/\($0).json") }
        let own = try messages.flatMap { [try compressor.compress($0), try format.compressor().compress($0)] }
        let python = try Fixtures.names(in: "frames").filter { $0.hasPrefix("text-") && $0.hasSuffix(".\(format)") }
            .map { try Fixtures.bytes("frames/\($0)") }.filter { $0.count < 4096 }
        let outcome = try DecoderFuzz(compressor, damaging: own + python).run(count: 15_000, seed: TestSeed(1).value)
        #expect(outcome.count == 15_000)
        #expect(outcome.accepted > 0, "no input was so little damaged that it could be read: the seeds are wrong")
        #expect(outcome.refused.count > 1, "\(outcome.refused), \(TestSeed(1))")
    }
}
