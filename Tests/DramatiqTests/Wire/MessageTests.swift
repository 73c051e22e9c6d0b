import TestSupport
import Testing

@testable import Dramatiq

@Suite struct MessageTests {
    private let encoder = JSONMessageEncoder()

    private func decode(_ text: String) throws(DecodeError) -> Message { try encoder.decode(Array(text.utf8)) }

    private func text(_ message: Message) throws -> String {
        String(decoding: try encoder.encode(message), as: UTF8.self)
    }

    private static func message(options: String = "{}", args: String = "[]") -> String {
        "{\"queue_name\":\"default\",\"actor_name\":\"a\",\"args\":\(args),\"kwargs\":{},\"options\":\(options),"
            + "\"message_id\":\"1\",\"message_timestamp\":5}"
    }

    @Test func idsAreVersion4UUIDsAndUnique() {
        let ids = (0..<20_000).map { _ in Message(queueName: "q", actorName: "a").messageID }
        #expect(Set(ids).count == ids.count)
        let form = /[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}/
        #expect(ids.allSatisfy { $0.wholeMatch(of: form) != nil })
    }

    @Test func derivedIDsAreTheSameEveryTime() {
        let ids = (0..<20_000).map { UniqueID.derived(from: "x", $0) }
        #expect(Set(ids).count == ids.count)
        #expect(UniqueID.derived(from: "x", 7) == ids[7])
        #expect(UniqueID.derived(from: "y", 7) != ids[7])
    }

    @Test func actorsMakeMessagesOfTheirArguments() throws {
        let resize = TaskActor("resize", queue: "images") { (path: String, width: Int, crop: Bool?) in }
        let message = resize.messageWithOptions("a.png", 200, nil, options: ["max_retries": 3])
        var fixed = message
        fixed.messageID = "id"
        fixed.messageTimestamp = MessageTimestamp(milliseconds: 1)
        #expect(
            try text(fixed)
                == "{\"queue_name\":\"images\",\"actor_name\":\"resize\",\"args\":[\"a.png\",200,null],\"kwargs\":{},"
                + "\"options\":{\"max_retries\":3},\"message_id\":\"id\",\"message_timestamp\":1}")
        #expect(message.description == "resize(\"a.png\", 200, null)")
    }

    @Test func copyingMergesOptionsAndLeavesTheOriginalAlone() {
        let message = Message(queueName: "q", actorName: "a", options: ["x": 1, "y": 2])
        let copy = message.copy(options: ["y": 3, "z": 4])
        #expect(copy.options == ["x": 1, "y": 3, "z": 4])
        #expect(copy.messageID == message.messageID)
        #expect(message.options == ["x": 1, "y": 2])
    }

    @Test func argumentsThatCannotBeEncodedAreAnErrorOfTheEnqueue() async throws {
        struct Bad: Codable, Sendable {
            struct Reason: Error {}
            init() {}
            init(from decoder: any Decoder) throws { throw Reason() }
            func encode(to encoder: any Encoder) throws { throw Reason() }
        }
        let actor = TaskActor("bad") { (value: Bad) in }
        let transport = InMemoryTransport()
        let broker = Broker(transport: transport)
        let error = await #expect(throws: ArgumentFailure.self) { try await actor.send(Bad(), to: broker) }
        #expect(error?.actorName == "bad")
        #expect(transport.unfinishedCount(queues: ["default"]) == 0)
    }

    // MARK: Faults

    @Test func faultsSayWhatAndWhere() {
        let cases: [(String, DecodeError.Code, Int)] = [
            ("", .unexpectedEnd, 0),
            ("[]", .wrongType, 0),
            ("{\"queue_name\":}", .unexpectedByte, 14),
            ("{\"color\":1}", .unknownField, 1),
            (Self.message() + "x", .trailingBytes, Self.message().utf8.count),
            (Self.message(args: "[01]"), .invalidNumber, 49),
            (Self.message(args: "[\"\\x\"]"), .invalidString, 50),
            (Self.message(args: "{}"), .wrongType, 48),
            ("{\"queue_name\":\"\u{1}\"}", .invalidString, 15),
        ]
        for (text, code, offset) in cases {
            let error = #expect(throws: DecodeError.self) { try decode(text) }
            #expect(error?.code == code, "\(text)")
            #expect(error?.offset == offset, "\(text)")
        }
    }

    @Test func depthIsBoundedToTheByte() throws {
        func nested(_ levels: Int) -> String {
            Self.message(args: String(repeating: "[", count: levels) + String(repeating: "]", count: levels))
        }
        var encoder = JSONMessageEncoder(maxDepth: 10)
        #expect(throws: Never.self) { try encoder.decode(Array(nested(9).utf8)) }
        #expect(throws: DecodeError.self) { try encoder.decode(Array(nested(10).utf8)) }
        let options = Self.message(options: "{\"x\":[[[[[[[[]]]]]]]]}")
        #expect(throws: Never.self) { try encoder.decode(Array(options.utf8)) }
        encoder.maxDepth = 9
        #expect(throws: DecodeError.self) { try encoder.decode(Array(options.utf8)) }
        // The default takes a workflow that is nested 1 000 deep, which is 2 000 levels.
        #expect(throws: Never.self) { try decode(nested(4095)) }
        let error = #expect(throws: DecodeError.self) { try decode(nested(100_000)) }
        #expect(error?.code == .tooDeep)
    }

    @Test func sizeIsBoundedBothWays() throws {
        let encoder = JSONMessageEncoder(maxSize: 300)
        let large = Message(queueName: "q", actorName: "a", args: [.string(String(repeating: "x", count: 300))])
        #expect(throws: EncodeError.self) { try encoder.encode(large) }
        let error = #expect(throws: DecodeError.self) { try encoder.decode(JSONMessageEncoder().encode(large)) }
        #expect(error?.code == .tooLarge)
    }

    @Test func aKeyThatComesTwiceCountsAsInPython() throws {
        let message = try decode(Self.message(options: "{\"a\":1,\"b\":2,\"a\":3}"))
        #expect(message.options == ["a": 3, "b": 2])
        let many = (0..<50).map { "\"k\($0 % 40)\":\($0)" }.joined(separator: ",")
        let options = try decode(Self.message(options: "{\(many)}")).options
        #expect(options.object.members.count == 40)
        #expect(options["k5"] == 45)
    }

    @Test func textOutsideASCIIIsReadInBothFormsAndWrittenAsAskedFor() throws {
        let plain = try decode(Self.message(args: "[\"é😀\"]"))
        let escaped = try decode(Self.message(args: "[\"\\u00e9\\ud83d\\ude00\"]"))
        #expect(plain.args.elements == escaped.args.elements)
        var rebuilt = plain
        rebuilt.args = JSONArray(plain.args.elements)
        #expect(try text(rebuilt) == text(escaped))
        let writer = JSONMessageEncoder(escapesNonASCII: false)
        #expect(try writer.encode(rebuilt) == Array(Self.message(args: "[\"é😀\"]").utf8))
    }

    @Test func whiteSpaceBetweenValuesIsNotKept() throws {
        let spaced =
            "\n{ \"queue_name\" : \"default\",\t\"actor_name\":\"a\",\r\n\"args\":[ 1 , \" x \\\" y\" ],"
            + "\"kwargs\":{ },\"options\":{ \"o\" : [ ] },\"message_id\":\"1\",\"message_timestamp\":5 } "
        let compact = Self.message(options: "{\"o\":[]}", args: "[1,\" x \\\" y\"]")
        let message = try decode(spaced)
        #expect(try text(message) == compact)
        #expect(try message == decode(compact))
    }

    @Test func valuesAreHashedAndComparedByWhatTheyEncodeTo() throws {
        let parsed = try JSONValue(parsing: " { \"a\" : [ 1 , 2.0 ] } ")
        #expect(parsed.objectValue?["a"] == [1, 2.0])
        #expect(JSONValue.integer(1) != .double(1))
        #expect(JSONValue.double(.nan) == .double(.nan))
        #expect(JSONValue(["a": 1, "b": 2] as JSONValue) != ["b": 2, "a": 1])
        #expect(Set<JSONValue>(["x", "x", 1, 1.0]).count == 3)
    }
}

extension JSONValue {
    fileprivate init(_ value: JSONValue) { self = value }
}
