import Dramatiq
import DramatiqLZ4
import DramatiqZlib
import TestSupport
import Testing

/// Reads what Python's `lz4.frame` and `zlib` wrote at many settings (`Fixtures/frames`).
@Suite struct FrameFixtureTests {
    struct Frame: CustomTestStringConvertible, Sendable {
        let file: String
        let row: JSONObject

        init?(_ row: JSONValue) {
            guard let object = row.objectValue, let file = object["file"]?.stringValue else { return nil }
            self.file = file
            self.row = object
        }

        var testDescription: String { file }
        var format: Format { file.hasSuffix(".lz4") ? .lz4 : .zlib }
        var isHostile: Bool { row["python"] != nil }

        func bytes() throws -> [UInt8] { try Fixtures.bytes("frames/\(file)") }

        func content() throws -> [UInt8] {
            if let path = row["content"]?.stringValue { return try Fixtures.bytes(path) }
            return try #require(row["recipe"]?.arrayValue).elements.reduce(into: []) { bytes, part in
                let part = try #require(part.arrayValue?.elements)
                let text = try #require(part[0].stringValue)
                for _ in 0..<(try #require(part[1].intValue)) { bytes += text.utf8 }
            }
        }
    }

    static let frames = ((try? Fixtures.rows("frames/index.json")) ?? []).compactMap(Frame.init)
    static let hostile = ((try? Fixtures.rows("frames/hostile/index.json")) ?? []).compactMap(Frame.init)

    @Test func thereAreFrames() {
        #expect(Self.frames.count >= 60)
        #expect(Self.hostile.count >= 45)
    }

    @Test(arguments: frames)
    func pythonsFramesAreRead(frame: Frame) throws {
        let dictionary = try frame.row["dictionary"]?.stringValue.map { try CompressionDictionary(Fixtures.bytes($0)) }
        let compressor = frame.format.compressor(dictionary: dictionary)
        let bytes = try frame.bytes()
        let content = try frame.content()
        #expect(compressor.recognizes(bytes))
        #expect(try compressor.decompress(bytes, maxSize: content.count) == content)
        let error = try #require(throws: DecodeError.self) {
            try compressor.decompress(bytes, maxSize: content.count - 1)
        }
        #expect(error.code == .tooLarge)
        if dictionary == nil {
            let message = try frame.format.encoder().decode(bytes)
            #expect(try JSONMessageEncoder().encode(message) == content)
        }
    }

    @Test(arguments: hostile)
    func damagedFramesAreRefused(frame: Frame) throws {
        let bytes = try frame.bytes()
        // All but what has the beginning of another format say which one they are in.
        let isAnothers = !frame.format.compressor().recognizes(bytes)
        let holdsNoMessage = ["empty-content", "not-json", "-in-"].contains { frame.file.contains($0) }
        let error = try #require(throws: DecodeError.self) {
            try frame.format.encoder(maxDecodedSize: 1 << 20).decode(bytes)
        }
        if !isAnothers, !holdsNoMessage {
            #expect(error.reason.hasPrefix("The \(frame.format) "), "\(error)")
            #expect([.corrupt, .tooLarge, .missingDictionary].contains(error.code))
        }
        // Python takes what follows a frame's end, and what a frame skips.
        if frame.row["python"] == "accepts" {
            let isStricter = frame.file.contains("/after-") || frame.file.contains("/skippable")
            #expect(isStricter || holdsNoMessage || error.code == .tooLarge)
        }
    }
}
