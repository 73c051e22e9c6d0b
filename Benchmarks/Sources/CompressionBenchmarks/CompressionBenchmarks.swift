import ArgumentParser
import BenchmarkSupport

/// The encoders for LZ4 and zlib, beside the C libraries on the same bytes and Python's modules.
@main
struct CompressionBenchmarks: AsyncParsableCommand {
    @OptionGroup var options: BenchmarkOptions

    func run() async throws {
        let python = try Peer.python("compression.py")
        var session = Session(area: "compression", options)
        let samples = try [
            SampleMessage("1 KB", size: 1000, aim: 0.7), SampleMessage("20 KB", size: 20_000, aim: 0.9),
        ]
        for format in Format.allCases {
            for sample in samples { try await measureBytes(&session, python, format, sample) }
        }
        for format in Format.allCases {
            for sample in samples { try await measureMessages(&session, python, format, sample) }
        }
        for format in Format.allCases { try await measureMemory(&session, format) }
        for format in Format.allCases { try await measureBombs(&session, format) }
        await python.stop()
        try session.finish()
    }
}
