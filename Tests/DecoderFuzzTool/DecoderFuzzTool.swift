import ArgumentParser
import Dramatiq
import DramatiqLZ4
import DramatiqZlib
import Foundation
import TestSupport

/// Gives the decoders of messages, of references to stored workflows and of what is compressed millions of damaged inputs.
/// `make fuzz` builds it with the address sanitizer and runs it.
@main
struct DecoderFuzzTool: AsyncParsableCommand {
    private static let largestInput = 8192
    private static let reportInterval = 500_000
    /// The inputs of messages are small and quickly read, so there are more of them.
    private static let messagesPerInput = 5

    @Option(help: "How many inputs each decoder gets.")
    var count = 5_000_000

    @Option(help: "What the inputs are made from; the same seed makes the same ones.")
    var seed: UInt64 = 1

    func run() async throws {
        try await fuzzReferences()
        try fuzzMessages()
        let dictionary = try CompressionDictionary(try Fixtures.bytes("messages/workflow-member.json"))
        for compressor in [
            LZ4Compressor(dictionary: dictionary) as any Compressor, ZlibCompressor(dictionary: dictionary),
        ] {
            let fuzz = DecoderFuzz(compressor, damaging: try inputs(compressor))
            var outcome = DecoderFuzz.Outcome()
            while outcome.count < count {
                let part = try fuzz.run(
                    count: min(Self.reportInterval, count - outcome.count), seed: seed &+ UInt64(outcome.count))
                outcome.accepted += part.accepted
                outcome.refused.merge(part.refused, uniquingKeysWith: +)
                let refused = outcome.refused.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key)" }
                let line =
                    "\(compressor.name): \(outcome.count) inputs, \(outcome.accepted) accepted, "
                    + refused.joined(separator: ", ")
                Self.say(line)
            }
        }
    }

    private func fuzzReferences() async throws {
        var (done, outcome) = (0, ReferenceFuzz.Outcome())
        while done < count {
            let part = min(Self.reportInterval, count - done)
            let more = try await ReferenceFuzz.run(count: part, seed: seed &+ UInt64(done))
            outcome.references += more.references
            outcome.rests += more.rests
            outcome.contents += more.contents
            done += part
            Self.say(
                "references: \(done) inputs, \(outcome.references) accepted, \(outcome.rests) rests; "
                    + "contents: \(done) inputs, \(outcome.contents) accepted")
        }
    }

    private func fuzzMessages() throws {
        let total = count * Self.messagesPerInput
        var (done, accepted) = (0, 0)
        while done < total {
            let part = min(Self.reportInterval, total - done)
            accepted += try MessageFuzz.run(count: part, seed: seed &+ UInt64(done))
            done += part
            Self.say("json: \(done) inputs, \(accepted) accepted")
        }
    }

    /// At once, also where standard output is no terminal.
    private static func say(_ line: String) {
        FileHandle.standardOutput.write(Data((line + "\n").utf8))
    }

    /// Python's frames at all settings, and this library's own with and without a dictionary.
    private func inputs(_ compressor: any Compressor) throws -> [[UInt8]] {
        var inputs: [[UInt8]] = []
        for folder in ["frames", "frames/hostile"] {
            for name in try Fixtures.names(in: folder) where name.hasSuffix(".\(compressor.name)") {
                inputs.append(try Fixtures.bytes("\(folder)/\(name)"))
            }
        }
        let plain: any Compressor = compressor.name == "lz4" ? LZ4Compressor() : ZlibCompressor()
        for name in ["plain", "workflow-member", "options-all", "nested-arrays-500", "text-20-kilobytes"] {
            let message = try Fixtures.bytes("messages/\(name).json")
            inputs += [try compressor.compress(message), try plain.compress(message)]
        }
        return inputs.filter { $0.count <= Self.largestInput }
    }
}
