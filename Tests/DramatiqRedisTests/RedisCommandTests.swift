import DramatiqRedis
import TestSupport
import Testing

@Suite struct RedisCommandTests {
    @Test func argumentsAreBulkStrings() {
        let command = RedisCommand("SET", "k\u{e9}y", [0, 13, 10] as [UInt8], -12, 1.5, list: ["a", ""])
        #expect(
            command.arguments == [
                Array("SET".utf8), Array("k\u{e9}y".utf8), [0, 13, 10], Array("-12".utf8), Array("1.5".utf8),
                Array("a".utf8), [],
            ])
    }

    @Test func anAppendedArgumentIsTheLast() {
        var command = RedisCommand("DEL")
        command.append("a")
        command.append([UInt8](repeating: 7, count: 100)[10..<12])
        #expect(command.arguments == [Array("DEL".utf8), [97], [7, 7]])
    }

    @Test func scriptsAreNamedByTheirDigest() {
        // FIPS 180-4's examples, and the lengths around a block's end against `sha1sum`.
        #expect(RedisScript("abc").digest == "a9993e364706816aba3e25717850c26c9cd0d89d")
        #expect(RedisScript("").digest == "da39a3ee5e6b4b0d3255bfef95601890afd80709")
        #expect(
            RedisScript("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq").digest
                == "84983e441c3bd26ebaae4aa1f95129e5e54670f1")
        let digests = [
            55: "c1c8bbdc22796e28c0e15163d20899b65621d65a", 56: "c2db330f6083854c99d4b5bfb6e8f29f201be699",
            63: "03f09f5b158a7a8cdad920bddc29b81c18a551f5", 64: "0098ba824b5c16427bd7a1122a5a442a25ec644d",
            119: "ee971065aaa017e0632a8ca6c77bb3bf8b1dfc56",
        ]
        for (count, digest) in digests {
            #expect(RedisScript(String(repeating: "a", count: count)).digest == digest)
        }
        let command = RedisCommand(RedisScript("abc"), keys: ["a", "b"], 1, list: ["c"])
        #expect(
            command.arguments.map { String(decoding: $0, as: UTF8.self) } == [
                "EVALSHA", "a9993e364706816aba3e25717850c26c9cd0d89d", "2", "a", "b", "1", "c",
            ])
    }

    @Test(arguments: TestSeed.first(20)) func randomArgumentsComeOutAgain(seed: TestSeed) {
        var random = seed.generator
        let arguments = (0..<30).map { _ in
            (0..<Int.random(in: 0..<300, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random) }
        }
        #expect(RedisCommand("X", list: arguments).arguments.dropFirst().elementsEqual(arguments))
        let numbers = (0..<30).map { _ in
            Int(truncatingIfNeeded: random.next() >> UInt64.random(in: 0..<64, using: &random))
        }
        #expect(
            RedisCommand("X", list: numbers).arguments.dropFirst().elementsEqual(numbers.map { Array("\($0)".utf8) }))
    }
}
