import Foundation
import TestSupport
import Testing

@testable import Dramatiq

/// Arguments and results of actors on their way into JSON and back.
@Suite struct CodingTests {
    private func json(_ value: some Encodable) throws -> String {
        var writer = JSONWriter()
        try ArgumentCoding.encode(value, into: &writer)
        return String(decoding: writer.bytes, as: UTF8.self)
    }

    private func value<Value: Decodable>(_ type: Value.Type = Value.self, _ json: String) throws -> Value {
        _ = try JSONValue(parsing: json)
        return try ArgumentCoding.decode(type, from: Array(json.utf8)[...])
    }

    /// Encodes, compares, and decodes again.
    private func expectRoundTrip<Value: Codable & Equatable>(_ value: Value, _ json: String) throws {
        #expect(try self.json(value) == json)
        #expect(try self.value(Value.self, json) == value)
    }

    // MARK: Scalars

    @Test func scalarsAreJSONScalars() throws {
        try expectRoundTrip("é \"\u{1F600}\"", "\"\\u00e9 \\\"\\ud83d\\ude00\\\"\"")
        try expectRoundTrip(true, "true")
        try expectRoundTrip(-5, "-5")
        try expectRoundTrip(Int8.min, "-128")
        try expectRoundTrip(UInt64.max, "18446744073709551615")
        try expectRoundTrip(Int128.max, "170141183460469231731687303715884105727")
        try expectRoundTrip(0.1, "0.1")
        try expectRoundTrip(Float(0.1), "0.1")
        try expectRoundTrip(2.0, "2.0")
        try expectRoundTrip(Double.infinity, "Infinity")
        #expect(try json(Double.nan) == "NaN")
        #expect(try value(Double.self, "NaN").isNaN)
        try expectRoundTrip(Optional("x"), "\"x\"")
        try expectRoundTrip(Optional<Int>.none, "null")
        try expectRoundTrip([Optional(1), nil], "[1,null]")
    }

    @Test func whatFoundationsCoderTreatsInASpecialWayIsTheSameHere() throws {
        try expectRoundTrip(Data([1, 2, 255]), "\"AQL/\"")
        try expectRoundTrip(URL(string: "https://swift.org/a?b=c")!, "\"https://swift.org/a?b=c\"")
        try expectRoundTrip(Decimal(string: "12345678901234567890.12")!, "12345678901234567890.12")
        let id = UUID()
        try expectRoundTrip(id, "\"\(id.uuidString)\"")
        struct Mail: Codable, Equatable {
            var link: URL
            var attachment: Data?
        }
        try expectRoundTrip(
            Mail(link: URL(string: "a:b")!, attachment: Data([0])), "{\"link\":\"a:b\",\"attachment\":\"AA==\"}")
    }

    @Test func datesAreWrittenAsPythonWritesThem() throws {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00+00:00"), (1.5, "1970-01-01T00:00:01.500000+00:00"),
            (1_795_434_088.123456, "2026-11-23T11:41:28.123456+00:00"), (-0.000001, "1969-12-31T23:59:59.999999+00:00"),
            (951_782_400, "2000-02-29T00:00:00+00:00"), (-62_135_596_800, "0001-01-01T00:00:00+00:00"),
            (253_402_300_799, "9999-12-31T23:59:59+00:00"),
        ] {
            let date = Date(timeIntervalSince1970: seconds)
            #expect(try json(date) == "\"\(text)\"")
            let read = try value(Date.self, "\"\(text)\"")
            #expect(abs(read.timeIntervalSince(date)) < 0.000_000_6)
        }
        for day in stride(from: -700_000, through: 2_900_000, by: 3701) {
            let date = Date(timeIntervalSince1970: Double(day) * 86_400)
            #expect(try value(Date.self, try json(date)) == date)
        }
        struct Log: Codable, Equatable {
            var at: [Date]
            var by: [String: Date]
            var never: Date?
        }
        let time = Date(timeIntervalSince1970: 60)
        try expectRoundTrip(
            Log(at: [time], by: ["a": time]),
            "{\"at\":[\"1970-01-01T00:01:00+00:00\"],\"by\":{\"a\":\"1970-01-01T00:01:00+00:00\"}}")
        for date in [Date(timeIntervalSince1970: 1e12), Date(timeIntervalSince1970: -1e20)] {
            #expect(throws: EncodingError.self) { try json(date) }
        }
        #expect(throws: EncodingError.self) { try json(Date(timeIntervalSince1970: .nan)) }
    }

    @Test func datesAreReadAsPythonWritesThem() throws {
        let date = Date(timeIntervalSince1970: 1_795_434_088.5)
        for text in [
            "2026-11-23T11:41:28.5+00:00", "2026-11-23T11:41:28.500000Z", "2026-11-23 11:41:28.500+00:00",
            "2026-11-23T17:11:28.500000000000+05:30", "2026-11-23T03:41:28.5-08:00", "2026-11-23T11:41:28,5+0000",
            "2026-11-23T12:41:28.5+01", "2026-11-23T11:41:30.5+00:00:02",
        ] {
            #expect(try value(Date.self, "\"\(text)\"") == date, "\(text)")
        }
        #expect(try value(Date.self, "\"2026-11-23T11:41Z\"") == Date(timeIntervalSince1970: 1_795_434_060))
        // What versions before wrote.
        #expect(try value(Date.self, "1.5") == Date(timeIntervalSinceReferenceDate: 1.5))
        #expect(try value(Date.self, "817000000") == Date(timeIntervalSinceReferenceDate: 817_000_000))
        for text in [
            "", "2026-11-23", "2026-11-23T11:41:28", "2026-11-23T11:41:28.+00:00", "2026-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z", "2026-11-23T24:00:00Z", "2026-11-23T11:41:60Z", "2026-11-23T11:41:28Zx",
            "2026-11-23T11:41:28+24:00", "2026-11-23T11:41:28+1", "26-11-23T12:21:28Z", "0000-01-01T00:00:00Z", "🕛",
        ] {
            #expect(throws: DecodingError.self, "\(text)") { try value(Date.self, "\"\(text)\"") }
        }
        #expect(throws: DecodingError.self) { try value(Date.self, "true") }
    }

    @Test func numbersFitOrAreRefused() throws {
        #expect(try value(Int.self, "2.0") == 2)
        #expect(try value(Int.self, "1E2") == 100)
        #expect(try value(Double.self, "3") == 3)
        #expect(try value(UInt64.self, "18446744073709551615") == .max)
        #expect(throws: DecodingError.self) { try value(Int.self, "2.5") }
        #expect(throws: DecodingError.self) { try value(Int.self, "1e400") }
        #expect(throws: DecodingError.self) { try value(Int.self, "NaN") }
        #expect(throws: DecodingError.self) { try value(Int8.self, "128") }
        #expect(throws: DecodingError.self) { try value(UInt.self, "-1") }
        #expect(throws: DecodingError.self) { try value(Int.self, "18446744073709551616") }
        #expect(throws: DecodingError.self) { try value(Int.self, "true") }
        #expect(throws: DecodingError.self) { try value(Bool.self, "1") }
        #expect(throws: DecodingError.self) { try value(String.self, "1") }
        #expect(throws: DecodingError.self) { try value(Int.self, "null") }
    }

    @Test func halfASurrogatePairIsNoString() throws {
        #expect(throws: DecodingError.self) { try value(String.self, "\"\\ud800\"") }
        #expect(try value(JSONValue.self, "\"\\ud800\"").description == "\"\\ud800\"")
    }

    // MARK: Structures

    private enum Shape: Codable, Equatable {
        case circle(radius: Double)
        case named(String, [Int: String])
        case nothing
    }

    private struct Order: Codable, Equatable {
        var zeta: Int
        var alpha: [String]
        var nested: [String: [Int?]]
        var shape: Shape
        var raw: JSONValue
        var missing: String?
    }

    @Test func structuresKeepTheOrderOfTheirKeys() throws {
        let order = Order(
            zeta: 1, alpha: ["b", "a"], nested: ["x": [1, nil]], shape: .named("s", [7: "seven"]),
            raw: ["z": 1, "a": [.double(.nan), 1.0]], missing: nil)
        let text =
            "{\"zeta\":1,\"alpha\":[\"b\",\"a\"],\"nested\":{\"x\":[1,null]},"
            + "\"shape\":{\"named\":{\"_0\":\"s\",\"_1\":{\"7\":\"seven\"}}},\"raw\":{\"z\":1,\"a\":[NaN,1.0]}}"
        try expectRoundTrip(order, text)
        try expectRoundTrip(
            [Shape.nothing, .circle(radius: 1e300)], "[{\"nothing\":{}},{\"circle\":{\"radius\":1e+300}}]")
    }

    private class Animal: Codable {
        var name: String
        init(name: String) { self.name = name }
    }

    private final class Dog: Animal {
        var age = 0
        private enum CodingKeys: String, CodingKey { case age }

        override init(name: String) { super.init(name: name) }

        required init(from decoder: any Decoder) throws {
            let container = try decoder.container(keyedBy: CodingKeys.self)
            age = try container.decode(Int.self, forKey: .age)
            try super.init(from: container.superDecoder())
        }

        override func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encode(age, forKey: .age)
            try super.encode(to: container.superEncoder())
        }
    }

    @Test func classesWithASuperclass() throws {
        let dog = Dog(name: "Rex")
        dog.age = 4
        #expect(try json(dog) == "{\"age\":4,\"super\":{\"name\":\"Rex\"}}")
        let read = try value(Dog.self, "{\"age\":4,\"super\":{\"name\":\"Rex\"}}")
        #expect(read.name == "Rex" && read.age == 4)
    }

    /// Uses every sort of container by hand, out of order.
    private struct ByHand: Encodable {
        func encode(to encoder: any Encoder) throws {
            var outer = encoder.container(keyedBy: PositionKey.self)
            var list = outer.nestedUnkeyedContainer(forKey: PositionKey(stringValue: "list"))
            var inner = outer.nestedContainer(keyedBy: PositionKey.self, forKey: PositionKey(stringValue: "inner"))
            try list.encode(1)
            try inner.encode("x", forKey: PositionKey(stringValue: "a"))
            try list.encodeNil()
            var deeper = list.nestedUnkeyedContainer()
            try inner.encode("y", forKey: PositionKey(stringValue: "a"))
            try deeper.encode(Int16(3))
            try list.encode(contentsOf: [true, false])
            try outer.encodeNil(forKey: PositionKey(stringValue: "last"))
            #expect(list.count == 5)
        }
    }

    @Test func containersCanBeFilledInAnyOrder() throws {
        #expect(try json(ByHand()) == "{\"list\":[1,null,[3],true,false],\"inner\":{\"a\":\"y\"},\"last\":null}")
    }

    @Test func manyKeysAreFoundQuickly() throws {
        let many = Dictionary(uniqueKeysWithValues: (0..<5000).map { ("key\($0)", $0) })
        #expect(try value([String: Int].self, json(many)) == many)
    }

    private struct SaysNothing: Encodable {
        func encode(to encoder: any Encoder) throws {}
    }

    @Test func aValueThatEncodesNothingIsAnError() {
        #expect(throws: EncodingError.self) { try json(SaysNothing()) }
        let message = TaskActor("a") { (value: [String: Never?]) in }.message([:])
        #expect(message.argumentFailure == nil)
    }

    // MARK: Hostile text

    private indirect enum Tree: Codable {
        case node(Tree)
        case leaf
    }

    private struct List: Codable {
        var next: [List]
    }

    @Test func textThatIsNestedTooDeepForATypeIsAnError() throws {
        let deep = String(repeating: "{\"next\":[", count: 1500) + String(repeating: "]}", count: 1500)
        let error = #expect(throws: DecodingError.self) { try value(List.self, deep) }
        guard case .dataCorrupted(let context)? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(context.debugDescription.contains("deeper than 512"))
        let fine = String(repeating: "{\"next\":[", count: 200) + String(repeating: "]}", count: 200)
        #expect(throws: Never.self) { try value(List.self, fine) }
    }

    @Test func errorsSayWhere() throws {
        let error = #expect(throws: DecodingError.self) {
            try value([String: [Int]].self, "{\"a\":[1,2,\"x\"]}")
        }
        guard case .typeMismatch(_, let context)? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(context.codingPath.map(\.stringValue) == ["a", "2"])
        #expect(context.debugDescription == "expected an integer, found a string")
    }

    // MARK: Other coders

    @Test func otherCodersCanCodeValuesToo() throws {
        let value: JSONValue = [
            "a": [1, 2.5, "x", nil, true, [:]], "big": .number(try JSONNumber("18446744073709551615")),
        ]
        let data = try JSONEncoder().encode(value)
        let read = try JSONDecoder().decode(JSONValue.self, from: data)
        #expect(read.objectValue?["a"] == value.objectValue?["a"])
        #expect(read.objectValue?["big"] == value.objectValue?["big"])
        #expect(throws: EncodingError.self) {
            try JSONEncoder().encode([JSONValue.number(try JSONNumber("123456789012345678901234567890"))])
        }
        #expect(throws: EncodingError.self) { try JSONEncoder().encode([try JSONValue(parsing: "\"\\udc00\"")]) }
    }
}
