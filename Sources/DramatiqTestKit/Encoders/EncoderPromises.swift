import Dramatiq

/// What a `MessageEncoder` promises: messages come back as they were, and bytes that are none are an error.
public enum EncoderPromises {
    public static let all: [Promise<any EncoderSubject>] = [
        Promise("a message comes back as it was, to the byte of its JSON") { subject in
            let (encoder, json) = (try subject.makeEncoder(), JSONMessageEncoder())
            for message in SampleMessages.all() + SampleMessages.workflow() {
                let decoded = try encoder.decode(try encoder.encode(message))
                try expectEqual(decoded, message, "the message")
                try expect(
                    try json.encode(decoded) == json.encode(message), "the same JSON", saw: "\(decoded)")
            }
        },
        Promise("another encoder of its kind reads what it writes") { subject in
            let (writer, reader) = (try subject.makeEncoder(), try subject.makeEncoder())
            for message in SampleMessages.all() {
                try expectEqual(try reader.decode(try writer.encode(message)), message, "the message")
            }
        },
        Promise("plain JSON is read", needs: [.plainJSON]) { subject in
            let encoder = try subject.makeEncoder()
            for message in SampleMessages.all() {
                try expectEqual(
                    try encoder.decode(try JSONMessageEncoder().encode(message)), message, "the message")
            }
        },
        Promise("a message that replaces another one can be read") { subject in
            let encoder = try subject.makeEncoder()
            for message in SampleMessages.all() {
                var changed = message
                changed.options["changed"] = true
                let bytes = try encoder.encode(changed, replacing: try encoder.encode(message))
                try expectEqual(try encoder.decode(bytes), changed, "the message")
            }
        },
        Promise("an encoder that knows its format claims no plain JSON, and keeps the format of what it replaces") {
            subject in
            guard let encoder = try subject.makeEncoder() as? any FormatRecognizing else { return }
            for message in SampleMessages.all() {
                for text in [try JSONMessageEncoder().encode(message), Array(" {}".utf8), Array("\n\t{".utf8)] {
                    try expect(!encoder.recognizes(text), "plain JSON not to be claimed", saw: "\(text.prefix(8))")
                }
                let bytes = try encoder.encode(message)
                let replaced = try encoder.encode(message, replacing: bytes)
                try expectEqual(
                    encoder.recognizes(replaced), encoder.recognizes(bytes), "whether the new message has its format")
            }
        },
        Promise("what was cut off is an error with a type") { subject in
            let encoder = try subject.makeEncoder()
            for message in SampleMessages.all() + SampleMessages.workflow() {
                let bytes = try encoder.encode(message)
                let lengths =
                    bytes.count <= 400
                    ? Array(0..<bytes.count) : Array(stride(from: 0, to: bytes.count, by: bytes.count / 97))
                for length in lengths {
                    try await expectError(DecodeError.self, "\(bytes.count - length) bytes are missing") {
                        try encoder.decode(Array(bytes.prefix(length)))
                    }
                }
            }
        },
        Promise("what is damaged is an error with a type, or a message") { subject in
            let encoder = try subject.makeEncoder()
            for message in SampleMessages.all() + SampleMessages.workflow() {
                let bytes = try encoder.encode(message)
                let step = max(1, bytes.count / 200)
                for place in stride(from: 0, to: bytes.count, by: step) {
                    var damaged = bytes
                    damaged[place] ^= UInt8(truncatingIfNeeded: 1 << (place % 8))
                    try expectMessageOrDecodeError(encoder, damaged, "byte \(place) was changed")
                    damaged.remove(at: place)
                    try expectMessageOrDecodeError(encoder, damaged, "byte \(place) is missing")
                }
            }
        },
        Promise("bytes of any kind are an error with a type, or a message") { subject in
            let encoder = try subject.makeEncoder()
            var word: UInt64 = 0x9E37_79B9_7F4A_7C15
            for length in 0..<300 {
                let bytes = (0..<length).map { _ -> UInt8 in
                    // Marsaglia 2003: the same in every run.
                    word ^= word << 13
                    word ^= word >> 7
                    word ^= word << 17
                    return UInt8(truncatingIfNeeded: word)
                }
                try expectMessageOrDecodeError(encoder, bytes, "\(length) random bytes")
            }
        },
        Promise("whatever it writes it reads: what is nested too deep for that is refused") { subject in
            let encoder = try subject.makeEncoder()
            var refused = 0
            for depth in [1, 10, 100, 400, 500, 505, 509, 510, 511, 512, 513, 600, 5000] {
                let message = Message(queueName: "promise", actorName: "deep", args: [SampleMessages.nested(depth)])
                guard let bytes = try? encoder.encode(message) else {
                    refused += 1
                    continue
                }
                try expectEqual(try encoder.decode(bytes), message, "the message with \(depth) levels")
            }
            try expect(refused < 10, "arguments of a reasonable depth to be written", saw: "\(refused) of 13 refused")
        },
        Promise("many tasks use one encoder at the same time") { subject in
            let encoder = try subject.makeEncoder()
            try await withThrowingTaskGroup(of: Void.self) { group in
                for task in 0..<16 {
                    group.addTask {
                        for round in 0..<10 {
                            let message = Message(
                                queueName: "promise", actorName: "shared",
                                args: [.string(String(repeating: "\(task) \(round) ", count: 1 + task * 100))])
                            let bytes = try encoder.encode(message)
                            try expectEqual(try encoder.decode(bytes), message, "the message")
                            // An error in one task is none in another.
                            _ = try? encoder.decode(bytes.dropLast())
                        }
                    }
                }
                try await group.waitForAll()
            }
        },
    ]

    private static func expectMessageOrDecodeError(
        _ encoder: any MessageEncoder,
        _ bytes: [UInt8],
        _ why: String,
        file: String = #fileID,
        line: Int = #line
    ) throws {
        do {
            _ = try encoder.decode(bytes)
        } catch {
            try expect(
                error is DecodeError, "DecodeError or a message, since \(why)", saw: "\(type(of: error)): \(error)",
                file: file, line: line)
        }
    }
}
