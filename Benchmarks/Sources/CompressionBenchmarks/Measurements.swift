import BenchmarkSupport
import CRawCompression
import Dramatiq

/// Compressing and reading the bytes of a message, without making them.
func measureBytes(_ session: inout Session, _ python: Peer, _ format: Format, _ sample: SampleMessage) async throws {
    let compressor = format.compressor
    let plain = sample.json
    let compressed = try compressor.compress(plain)
    guard let raw = raw_compression_make(Int32(format.level), Int32(format.level), plain.count),
        format.rawCompress(raw, plain) > 0, format.rawDecompress(raw, compressed) == plain.count
    else { throw NotTheSameWork(format: format.rawValue) }
    let arguments: [String: PeerArgument] = [
        "format": .string(format.rawValue), "level": .integer(format.level),
        "message": .string(String(decoding: plain, as: UTF8.self)),
    ]
    try await session.compare(
        Comparison(
            "\(format.rawValue) compress \(sample.name)", unit: "messages",
            aims: [.atLeast(sample.aim, times: format.library)],
            Contestant("swift") { consume(try compressor.compress(plain)) },
            Contestant(format.library) { consume(format.rawCompress(raw, plain)) },
            Contestant("python", python, "compress", arguments)))
    try await session.compare(
        Comparison(
            "\(format.rawValue) decompress \(sample.name)", unit: "messages",
            aims: [.atLeast(sample.aim, times: format.library)],
            Contestant("swift") { consume(try compressor.decompress(compressed, maxSize: 1 << 26)) },
            Contestant(format.library) { consume(format.rawDecompress(raw, compressed)) },
            Contestant("python", python, "decompress", arguments)))
}

/// What a producer and a worker do with a message, JSON included.
func measureMessages(_ session: inout Session, _ python: Peer, _ format: Format, _ sample: SampleMessage) async throws {
    let encoder = format.encoder
    let message = sample.message
    let encoded = try encoder.encode(message)
    let arguments: [String: PeerArgument] = [
        "format": .string(format.rawValue), "level": .integer(format.level),
        "message": .string(String(decoding: sample.json, as: UTF8.self)),
    ]
    try await session.compare(
        Comparison(
            "\(format.rawValue) encode message \(sample.name)", unit: "messages",
            Contestant("swift") { consume(try encoder.encode(message)) },
            Contestant("python", python, "encode", arguments)))
    try await session.compare(
        Comparison(
            "\(format.rawValue) decode message \(sample.name)", unit: "messages",
            Contestant("swift") { consume(try encoder.decode(encoded)) },
            Contestant("python", python, "decode", arguments)))
}

/// A hundred megabytes of messages go through, from many tasks, and memory stays where it was after the first ten.
func measureMemory(_ session: inout Session, _ format: Format) async throws {
    let name = "\(format.rawValue) memory grown by 100 MB"
    guard session.includes(name) else { return }
    let sample = try SampleMessage("20 KB", size: 20_000, aim: 0)
    let encoder = format.encoder
    func run(megabytes: Int) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<8 {
                group.addTask {
                    for _ in 0..<megabytes * 1_000_000 / 8 / sample.json.count {
                        consume(try encoder.decode(try encoder.encode(sample.message)))
                    }
                }
            }
            try await group.waitForAll()
        }
    }
    try await run(megabytes: 10)
    let (start, peak, _) = try await Memory.watching { try await run(megabytes: 100) }
    session.add(Figure(name, Double(peak - start) / 1e6, unit: "MB", limit: 2))
}

/// Small inputs that would fill 200 MB are refused within the limit.
func measureBombs(_ session: inout Session, _ format: Format) async throws {
    let name = "\(format.rawValue) memory grown by bombs"
    guard session.includes(name) else { return }
    let limit = 4_000_000
    let compressor = format.compressor
    let bomb = try compressor.compress([UInt8](repeating: 0, count: 200_000_000))
    let (start, peak, _) = try await Memory.watching(every: .milliseconds(1)) {
        for _ in 0..<50 {
            guard (try? compressor.decompress(bomb, maxSize: limit)) == nil else {
                throw NotTheSameWork(format: format.rawValue)
            }
        }
    }
    session.add(Figure(name, Double(peak - start) / 1e6, unit: "MB", limit: Double(limit) / 1e6 * 1.1))
}

/// The peer doesn't do what it shall be compared for.
struct NotTheSameWork: Error {
    let format: String
}
