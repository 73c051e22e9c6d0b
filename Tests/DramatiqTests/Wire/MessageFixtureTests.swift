import TestSupport
import Testing

@testable import Dramatiq

/// Messages that Python's packages wrote: decoded, looked into and written again to the byte.
@Suite struct MessageFixtureTests {
    static let names: [String] = (try? Fixtures.names(in: "messages")) ?? []

    private func message(_ name: String) throws -> Message {
        try JSONMessageEncoder().decode(Fixtures.bytes("messages/\(name).json"))
    }

    @Test func thereAreMessages() {
        #expect(Self.names.count >= 40)
    }

    @Test(arguments: names)
    func aDecodedMessageEncodesToTheSameBytes(name: String) throws {
        let bytes = try Fixtures.bytes("messages/\(name)")
        let encoder = JSONMessageEncoder()
        let message = try encoder.decode(bytes)
        #expect(try encoder.encode(message) == bytes)
        #expect(message.jsonValue.encoded() == bytes)
        // As values that were looked into all the way down, instead of slices of the incoming bytes.
        var rebuilt = message
        rebuilt.args = JSONArray(message.args.elements.map(Self.rebuilt))
        rebuilt.kwargs = JSONObject(members: message.kwargs.members.map(Self.rebuilt))
        rebuilt.options = MessageOptions(JSONObject(members: message.options.object.members.map(Self.rebuilt)))
        #expect(try encoder.encode(rebuilt) == bytes)
        #expect(rebuilt == message)
    }

    private static func rebuilt(_ value: JSONValue) -> JSONValue {
        switch value {
        case .array(let array): .array(JSONArray(array.elements.map(rebuilt)))
        case .object(let object): .object(JSONObject(members: object.members.map(rebuilt)))
        default: value
        }
    }

    private static func rebuilt(_ member: JSONObject.Member) -> JSONObject.Member {
        var member = member
        member.value = rebuilt(member.value)
        return member
    }

    @Test func theSevenFieldsAreRead() throws {
        let message = try message("args-and-kwargs")
        #expect(message.queueName == "default")
        #expect(message.messageID == "00000000-0000-4000-8000-000000000001")
        #expect(message.messageTimestamp.milliseconds == 1_795_434_026_514)
        #expect(!message.args.isEmpty && !message.kwargs.isEmpty)
        #expect(message.options.isEmpty)
        #expect(try self.message("other-queue-and-actor").queueName != "default")
    }

    @Test func timestampsAreIntegersOrFloatsAsTheyCame() throws {
        #expect(try message("plain").messageTimestamp == MessageTimestamp(milliseconds: 1_795_434_026_514))
        let float = try message("timestamp-float").messageTimestamp
        #expect(float.jsonValue.description.contains("."))
        let whole = try message("timestamp-whole-float").messageTimestamp
        #expect(whole.jsonValue.description.hasSuffix(".0"))
        #expect(whole != MessageTimestamp(milliseconds: Int(whole.milliseconds)))
    }

    @Test func bigIntegersAreKeptAndOrdinaryOnesAreAtHand() throws {
        let big = try message("integers-big").args.elements
        #expect(big.contains { $0.description.count > 400 })
        #expect(big.allSatisfy { if case .number = $0 { true } else { $0.intValue != nil } })
        #expect(try message("integers").args.elements.contains(.integer(.max)))
    }

    @Test func optionsThatNobodyKnowsTravel() throws {
        let original = try message("options-unknown")
        var changed = original.copy(options: ["max_retries": 1])
        #expect(changed.options["max_retries"] == 1)
        changed.options["max_retries"] = nil
        #expect(changed == original)
    }

    @Test func mergingIsPythons() throws {
        let merged = try message("options-merged-by-copy")
        var start = JSONObject()
        for member in merged.options.object.members { start[member.key] = 0 }
        let options = MessageOptions(start).merging(merged.options)
        #expect(options == merged.options, "a name keeps its place and takes the new value")
    }
}
