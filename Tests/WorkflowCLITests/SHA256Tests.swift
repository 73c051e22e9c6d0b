import TestSupport
import Testing

@testable import WorkflowDemo

@Suite struct SHA256Tests {
    /// FIPS 180-4's examples and NIST's vectors for short and long messages.
    static let vectors: [(message: [UInt8], digest: String)] = [
        ([], "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        (Array("abc".utf8), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (
            Array("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq".utf8),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
        ),
        (
            Array(
                ("abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmn"
                    + "hijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu").utf8),
            "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1"
        ),
        ([0xbd], "68325720aabd7c82f30f554b313d0570c95accbb7dc4b5aae11204c08ffe732b"),
        (Array(repeating: 0, count: 55), "02779466cdec163811d078815c633f21901413081449002f24aa3e80f0b88ef7"),
        (Array(repeating: 0, count: 56), "d4817aa5497628e7c77e6b606107042bbba3130888c5f47a375e6179be789fbb"),
        (Array(repeating: 0, count: 57), "65a16cb7861335d5ace3c60718b5052e44660726da4cd13bb745381b235a1785"),
        (Array(repeating: 0, count: 64), "f5a5fd42d16a20302798ef6ed309979b43003d2320d9f0e8ea9831a92759fb4b"),
        (
            Array(repeating: UInt8(ascii: "a"), count: 1_000_000),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"
        ),
    ]

    @Test(arguments: vectors.indices) func vector(_ index: Int) {
        let (message, digest) = Self.vectors[index]
        #expect(SHA256.digest(message).description == digest)
    }

    @Test func piecesOfAnySizeGiveTheSameHash() {
        let seed = TestSeed(1)
        var generator = seed.generator
        for _ in 0..<200 {
            let message = (0..<Int.random(in: 0...1000, using: &generator)).map { _ in
                UInt8.random(in: .min ... .max, using: &generator)
            }
            var hash = SHA256()
            var rest = message[...]
            while !rest.isEmpty {
                let piece = rest.prefix(Int.random(in: 0...200, using: &generator))
                hash.update(Array(piece))
                rest = rest.dropFirst(piece.count)
            }
            #expect(hash.finish() == SHA256.digest(message), "\(seed)")
        }
    }

    @Test(.enabled(if: Checksums.areAvailable), arguments: [0, 1, 63, 64, 65, 4096, 70_000, 300_001])
    func sameAsTheTool(_ count: Int) async throws {
        let directory = try TemporaryDirectory()
        let seed = TestSeed(count)
        var generator = seed.generator
        let bytes = (0..<count).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
        try directory.write(bytes, "file")
        let output = try await Checksums.run(["file"], in: directory)
        #expect(output.text.hasPrefix(SHA256.digest(bytes).description), "\(seed)")
    }
}
