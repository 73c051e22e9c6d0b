import DramatiqRedis
import Foundation
import TestSupport
import Testing

@Suite struct RESPDecoderTests {
    @Test(
        arguments: [
            ("+OK\r\n", .string("OK")),
            ("+\r\n", .string("")),
            ("+status\r\n", .string("status")),
            ("-WRONGTYPE no\r\n", .error(RedisError(.server, "WRONGTYPE no"))),
            (":0\r\n", .integer(0)),
            (":-9223372036854775808\r\n", .integer(.min)),
            (":+12\r\n", .integer(12)),
            ("$0\r\n\r\n", .string("")),
            ("$5\r\na\r\nbc\r\n", .string("a\r\nbc")),
            ("!9\r\nERR\r\nlong\r\n", .error(RedisError(.server, "ERR\r\nlong"))),
            ("=8\r\ntxt:text\r\n", .string("text")),
            ("#t\r\n", .boolean(true)),
            ("#f\r\n", .boolean(false)),
            (",1.5\r\n", .double(1.5)),
            (",-inf\r\n", .double(-.infinity)),
            ("(123456789012345678901234567890\r\n", .bigNumber(Array("123456789012345678901234567890".utf8))),
            ("*0\r\n", .array([])),
            ("~0\r\n", .set([])),
            ("%0\r\n", .map([])),
            ("*2\r\n:1\r\n*1\r\n$1\r\na\r\n", .array([.integer(1), .array([.string("a")])])),
            ("~1\r\n:1\r\n", .set([.integer(1)])),
            ("%1\r\n+a\r\n*1\r\n_\r\n", .map([.init(key: .string("a"), value: .array([.null]))])),
            ("*2\r\n-ERR a\r\n:1\r\n", .array([.error(RedisError(.server, "ERR a")), .integer(1)])),
        ] as [(String, RESPValue)])
    func valuesOfEveryKind(bytes: String, value: RESPValue) throws {
        #expect(try frames(bytes) == [.reply(value)])
    }

    @Test(arguments: ["$-1\r\n", "*-1\r\n", "_\r\n"]) func threeNulls(bytes: String) throws {
        #expect(try frames(bytes) == [.reply(.null)])
        #expect(try frames("*2\r\n\(bytes):1\r\n") == [.reply(.array([.null, .integer(1)]))])
    }

    @Test func notANumberIsADouble() throws {
        guard case .reply(.double(let number)) = try #require(try frames(",nan\r\n").first) else {
            Issue.record("no double")
            return
        }
        #expect(number.isNaN)
    }

    @Test func pushesComeBetweenRepliesAndAttributesVanish() throws {
        let bytes =
            ":1\r\n>2\r\n+invalidate\r\n*1\r\n$1\r\nk\r\n|1\r\n+ttl\r\n:9\r\n*2\r\n|1\r\n+a\r\n+b\r\n:2\r\n:3\r\n|0\r\n:4\r\n"
        #expect(
            try frames(bytes) == [
                .reply(.integer(1)), .push([.string("invalidate"), .array([.string("k")])]),
                .reply(.array([.integer(2), .integer(3)])), .reply(.integer(4)),
            ])
    }

    @Test(arguments: [
        ("?1\r\n", "starts with byte 63"), ("OK\r\n", "starts with byte 79"), (":\r\n", "an integer is none"),
        (":12a\r\n", "an integer is none"), (":-\r\n", "an integer is none"),
        (":9223372036854775808\r\n", "an integer is none, or too large"), (":1\n", "doesn't end in CR LF"),
        ("\r\n", "doesn't end in CR LF"), ("$-2\r\n", "a length of -2"), ("*-2\r\n", "a length of -2"),
        ("~-1\r\n", "a length of -1"), ("!-1\r\n", "a length of -1"), ("$3\r\nabcd\r\n", "doesn't end in CR LF"),
        ("$3\r\nabc\rx", "doesn't end in CR LF"), ("=3\r\nabc\r\n", "no format"), ("_1\r\n", "null has content"),
        ("#x\r\n", "neither t nor f"), (",x\r\n", "a double is none"), ("(x\r\n", "a big number is none"),
        ("*1\r\n>1\r\n:1\r\n", "a push is inside a reply"), (">0\r\n", "a push is empty"),
        ("$?\r\n", "an integer is none"), ("*?\r\n", "an integer is none"),
        ("$99999999999\r\n", "longer than 1073741824 bytes"), ("*4611686018427387904\r\n", "exceeds the limit"),
        ("%4611686018427387904\r\n", "exceeds the limit"),
    ])
    func whatIsNoReplyIsATypedError(bytes: String, reason: String) throws {
        let error = #expect(throws: RedisError.self) { try frames(bytes) }
        #expect(error?.code == .malformedReply)
        #expect(error?.message.contains(reason) == true, "\(String(describing: error))")
        // However it is cut.
        #expect(throws: RedisError.self) { try frames(bytes, pieces: 1) }
    }

    @Test func errorsSayWhere() {
        let error = #expect(throws: RedisError.self) { try frames(":1\r\n:2\r\n?\r\n", pieces: 1) }
        #expect(error?.message.contains("at byte 10 of the connection") == true, "\(String(describing: error))")
    }

    @Test func limitsHold() throws {
        let limits = RESPLimits(replySize: 100, depth: 3, lineLength: 20)
        for bytes in [
            "$101\r\n", "*34\r\n", "*2\r\n$60\r\n\(String(repeating: "a", count: 60))\r\n$40\r\n",
            "*1\r\n*1\r\n*1\r\n*1\r\n", "|1\r\n*1\r\n*1\r\n*1\r\n", "+\(String(repeating: "a", count: 30))",
            "+\(String(repeating: "a", count: 30))\r\n",
        ] {
            for pieces in [1, bytes.utf8.count] {
                let error = #expect(throws: RedisError.self) { try frames(bytes, pieces: pieces, limits) }
                #expect(error?.code == .malformedReply)
            }
        }
        // The limit is each reply's own.
        let reply = "$80\r\n\(String(repeating: "a", count: 80))\r\n"
        #expect(try frames(reply + reply + reply, limits).count == 3)
        #expect(try frames("*1\r\n*1\r\n*1\r\n:1\r\n", limits).count == 1)
    }

    /// What is declared costs nothing before it comes: sixty-four nested arrays of 300 million elements.
    @Test func declaredLengthsReserveLittle() throws {
        #expect(try frames(String(repeating: "*300000000\r\n", count: 64)).isEmpty)
        #expect(try frames("$100000000\r\nabc").isEmpty)
    }

    @Test func aLargeArrayIsReadOnceHoweverItComes() throws {
        // Were it read from the start for every piece, this would be forty billion steps.
        let elements = (0..<20_000).map { RESPValue.string("element-\($0)") }
        let decoded = try frames(RESPWriter.bytes(.array(elements)), pieces: 1)
        #expect(decoded == [.reply(.array(elements))])
    }

    /// Values that take the most memory for their bytes, alone and in each other.
    private static let expensive = [
        "_\r\n", "-\r\n", "+\r\n", "+a\r\n", "$1\r\na\r\n", "!0\r\n\r\n", "(1\r\n", "#t\r\n", ",1\r\n", "*0\r\n",
        "*1\r\n_\r\n", "%1\r\n_\r\n_\r\n", "~1\r\n*1\r\n*1\r\n*1\r\n*1\r\n-a\r\n", "*2\r\n_\r\n-ERR\r\n",
    ]

    @Test(arguments: expensive) func whatAReplyTakesIsBounded(element: String) throws {
        let limits = RESPLimits(memory: 8 << 20)
        let count = 4 << 20
        let bytes = "*\(count)\r\n" + String(repeating: element, count: 1 << 18)
        let before = residentMemory()
        var decoder = RESPDecoder(limits: limits)
        let buffer = Array(bytes.utf8)
        #expect(throws: RedisError.self) {
            for _ in 0..<16 { try decoder.decode(buffer.span) { _ in } }
        }
        // What is over is not there: with nothing counted it would be up to a gigabyte.
        #expect(residentMemory() - before < 64 << 20, "\(element.debugDescription)")
    }

    /// However much of a string has come, there is never much more than it.
    @Test func aStringThatGrowsTakesWhatItIsWorth() throws {
        let limits = RESPLimits(memory: 128 << 20)
        #expect(throws: RedisError.self) { try frames("$\(100 << 20)\r\n", limits) }
        var decoder = RESPDecoder(limits: limits)
        let piece = [UInt8](repeating: 97, count: 1 << 16)
        let head = Array("$\(64 << 20)\r\n".utf8)
        let before = residentMemory()
        var completed = 0
        try decoder.decode(head.span) { _ in completed += 1 }
        var most = 0
        for _ in 0..<1024 {
            try decoder.decode(piece.span) { _ in completed += 1 }
            most = max(most, residentMemory() - before)
        }
        let end = Array("\r\n".utf8)
        try decoder.decode(end.span) { _ in completed += 1 }
        #expect(completed == 1)
        #expect(most < 112 << 20)
    }

    /// How many bytes of this process are in memory.
    private func residentMemory() -> Int {
        #if os(Linux)
            let words = (try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8))?.split(separator: " ") ?? []
            return (words.count > 1 ? Int(words[1]) ?? 0 : 0) * 4096
        #else
            return 0
        #endif
    }

    // MARK: Fuzzing

    @Test(arguments: TestSeed.first(40)) func randomRepliesSurviveEveryCut(seed: TestSeed) throws {
        var random = seed.generator
        let values = (0..<5).map { _ in RESPWriter.randomValue(&random, depth: 3) }
        let bytes = values.flatMap { RESPWriter.bytes($0) }
        let expected = values.map { RESPFrame.reply($0) }
        #expect(try frames(bytes) == expected)
        #expect(try frames(bytes, pieces: 1) == expected)
        for cut in bytes.indices.prefix(600) {
            var decoder = RESPDecoder()
            var received: [RESPFrame] = []
            for piece in [bytes[..<cut], bytes[cut...]] {
                try decoder.decode(piece.span) { received.append($0) }
            }
            #expect(received == expected)
            #expect(decoder.isBetweenReplies == true)
        }
    }

    @Test(arguments: TestSeed.first(40))
    func mutatedRepliesAreReadOrRefusedTheSameWayHoweverCut(seed: TestSeed) {
        var random = seed.generator
        for _ in 0..<100 {
            var bytes = (0..<3).flatMap { _ in RESPWriter.bytes(RESPWriter.randomValue(&random, depth: 3)) }
            for _ in 0..<Int.random(in: 1...4, using: &random) where !bytes.isEmpty {
                let index = Int.random(in: bytes.indices, using: &random)
                switch Int.random(in: 0..<4, using: &random) {
                case 0: bytes[index] = UInt8.random(in: 0...255, using: &random)
                case 1: bytes.remove(at: index)
                case 2:
                    bytes.insert(Array("+-:$*%~>|_#,(!=0189\r\n".utf8).randomElement(using: &random) ?? 0, at: index)
                default: bytes.removeSubrange(index..<min(bytes.count, index + 5))
                }
            }
            let whole = outcome(bytes, pieces: bytes.count)
            #expect(outcome(bytes, pieces: 1) == whole)
            #expect(outcome(bytes, pieces: 7) == whole)
        }
    }

    @Test(arguments: TestSeed.first(20)) func randomBytesNeverCrash(seed: TestSeed) {
        var random = seed.generator
        let alphabet = Array("+-:$*%~>|_#,(!=0123456789\r\n\r\n\r\n".utf8)
        for _ in 0..<200 {
            let bytes = (0..<Int.random(in: 0..<200, using: &random)).map { _ in
                Bool.random(using: &random)
                    ? alphabet.randomElement(using: &random) ?? 0 : UInt8.random(in: 0...255, using: &random)
            }
            #expect(outcome(bytes, pieces: 3) == outcome(bytes, pieces: max(bytes.count, 1)))
        }
    }

    // MARK: Decoding in pieces

    /// What was read before the end or the first error.
    private struct DecodeOutcome: Equatable {
        var frames: [RESPFrame] = []
        var code: RedisError.Code?

        static func == (left: DecodeOutcome, right: DecodeOutcome) -> Bool {
            // Not a number is not equal to itself; its text is.
            left.code == right.code && "\(left.frames)" == "\(right.frames)"
        }
    }

    private func outcome(_ bytes: [UInt8], pieces: Int) -> DecodeOutcome {
        var outcome = DecodeOutcome()
        var decoder = RESPDecoder()
        do {
            for start in stride(from: 0, to: bytes.count, by: max(pieces, 1)) {
                let piece = bytes[start..<min(start + pieces, bytes.count)]
                try decoder.decode(piece.span) { outcome.frames.append($0) }
            }
        } catch {
            outcome.code = error.code
        }
        return outcome
    }

    private func frames(
        _ bytes: [UInt8],
        pieces: Int? = nil,
        _ limits: RESPLimits = RESPLimits()
    ) throws(RedisError) -> [RESPFrame] {
        var decoder = RESPDecoder(limits: limits)
        var frames: [RESPFrame] = []
        let size = pieces ?? bytes.count
        for start in stride(from: 0, to: bytes.count, by: size) {
            let piece = bytes[start..<min(start + size, bytes.count)]
            try decoder.decode(piece.span) { frames.append($0) }
        }
        return frames
    }

    private func frames(
        _ text: String,
        pieces: Int? = nil,
        _ limits: RESPLimits = RESPLimits()
    ) throws(RedisError) -> [RESPFrame] {
        try frames(Array(text.utf8), pieces: pieces, limits)
    }
}
