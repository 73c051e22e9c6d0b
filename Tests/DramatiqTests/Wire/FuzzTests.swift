import TestSupport
import Testing

@testable import Dramatiq

/// More than a million inputs, random and mutated: an error or a message that holds together, never a crash.
@Suite(.serialized, .timeLimit(.minutes(10))) struct FuzzTests {
    private static let inputsPerSeed = 66_000

    private static let seeds: [[UInt8]] = {
        let names = (try? Fixtures.names(in: "messages")) ?? []
        let messages = names.compactMap { try? Fixtures.bytes("messages/\($0)") }
        return messages.filter { $0.count < 700 }
    }()

    /// Pieces that mean something in JSON, so that a mutation reaches further than the first byte.
    private static let pieces: [[UInt8]] = [
        "{", "}", "[", "]", "\"", ":", ",", "\\", "\\u", "\\ud800", "\\udc00", "null", "NaN", "-Infinity", "1e999",
        "-0",
        "0.1", "\"options\":", "\"eta\":1", "\u{7F}", "é", "😀", "[[[[[[[[", "{\"\":{\"\":{\"\":",
        "99999999999999999999",
        " ", "\n", "\u{0}",
    ].map { Array($0.utf8) }

    private static func mutated(_ input: [UInt8], _ generator: inout SeededGenerator) -> [UInt8] {
        var bytes = input
        for _ in 0..<Int.random(in: 1...4, using: &generator) {
            let place = Int.random(in: 0...bytes.count, using: &generator)
            let end = min(bytes.count, place + Int.random(in: 0...8, using: &generator))
            switch Int.random(in: 0..<6, using: &generator) {
            case 0: bytes.replaceSubrange(place..<end, with: pieces.randomElement(using: &generator) ?? [])
            case 1: bytes.removeSubrange(place..<end)
            case 2: bytes.insert(UInt8.random(in: 0...255, using: &generator), at: place)
            case 3: bytes.removeLast(bytes.count - place)
            case 4 where place < bytes.count: bytes[place] ^= 1 << UInt8.random(in: 0...7, using: &generator)
            default: bytes.insert(contentsOf: bytes[place..<end], at: place)
            }
        }
        return bytes
    }

    private static func random(_ generator: inout SeededGenerator) -> [UInt8] {
        var bytes: [UInt8] = []
        for _ in 0..<Int.random(in: 0...40, using: &generator) {
            if Bool.random(using: &generator) {
                bytes += pieces.randomElement(using: &generator) ?? []
            } else {
                bytes.append(UInt8.random(in: 0...255, using: &generator))
            }
        }
        return bytes
    }

    @Test(arguments: UInt64(1)...16)
    func decodingSurvivesEverything(seed: UInt64) async throws {
        var generator = SeededGenerator(seed: seed)
        let encoder = JSONMessageEncoder(maximumDepth: 64, maximumSize: 4096)
        #expect(Self.seeds.count > 20)
        var accepted = 0
        for index in 0..<Self.inputsPerSeed {
            // The tests beside this one want to run as well.
            if index.isMultiple(of: 50) { await Task.yield() }
            let bytes =
                index.isMultiple(of: 2)
                ? Self.random(&generator)
                : Self.mutated(Self.seeds.randomElement(using: &generator) ?? [], &generator)
            let message: Message
            do throws(DecodeError) {
                message = try encoder.decode(bytes)
            } catch {
                guard error.offset >= 0, error.offset <= bytes.count, !error.reason.isEmpty else {
                    Issue.record("\(error) for \(bytes)")
                    return
                }
                continue
            }
            accepted += 1
            // What was taken can be looked into, and written and read again.
            let encoded = try encoder.encode(message)
            guard try encoder.decode(encoded) == message else {
                Issue.record("not the same after a round trip: \(String(decoding: bytes, as: UTF8.self))")
                return
            }
            Self.look(into: message.jsonValue)
        }
        #expect(accepted > Self.inputsPerSeed / 100)
    }

    private static func look(into value: JSONValue) {
        var values = [value]
        while let value = values.popLast() {
            switch value {
            case .array(let array): values += array.elements
            case .object(let object): values += object.members.map(\.value)
            default: _ = (value.intValue, value.doubleValue, value.stringValue)
            }
        }
    }
}
