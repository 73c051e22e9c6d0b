import Dramatiq

/// Gives the decoder of messages random and mutated inputs: an error or a message that holds together, never a crash.
public enum MessageFuzz {
    /// The decoder or the encoder did what it must not.
    public struct Fault: Error {
        public let what: String
        /// The input with which it did.
        public let input: String
    }

    private static let encoder = JSONMessageEncoder(maxDepth: 64, maxSize: 4096)

    private static let seeds: [[UInt8]] = {
        let names = (try? Fixtures.names(in: "messages")) ?? []
        let messages = names.compactMap { try? Fixtures.bytes("messages/\($0)") }
        return messages.filter { $0.count < 700 }
    }()

    /// Pieces that mean something in JSON, so that a mutation reaches further than the first byte.
    private static let pieces: [[UInt8]] =
        [
            "{", "}", "[", "]", "\"", ":", ",", "\\", "\\u", "\\ud800", "\\udc00", "null", "NaN", "-Infinity", "1e999",
            "-0",
            "0.1", "\"options\":", "\"eta\":1", "\u{7F}", "é", "😀", "[[[[[[[[", "{\"\":{\"\":{\"\":",
            "99999999999999999999",
            " ", "\n", "\u{0}",
        ].map { Array($0.utf8) } + HostileText.all.map { Array($0.text(bytes: 64).utf8) }

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

    /// - Returns: how many of the inputs were messages.
    /// - Throws: ``Fault``.
    public static func run(count: Int, seed: UInt64) throws -> Int {
        var generator = SeededGenerator(seed: seed)
        var accepted = 0
        for index in 0..<count {
            let bytes =
                index.isMultiple(of: 2)
                ? random(&generator) : mutated(seeds.randomElement(using: &generator) ?? [], &generator)
            if try isMessage(bytes) { accepted += 1 }
        }
        return accepted
    }

    private static func isMessage(_ bytes: [UInt8]) throws -> Bool {
        let message: Message
        do throws(DecodeError) {
            message = try encoder.decode(bytes)
        } catch {
            guard error.offset >= 0, error.offset <= bytes.count, !error.reason.isEmpty else {
                throw Fault(what: "\(error)", input: "\(bytes)")
            }
            return false
        }
        // What was taken can be looked into, and written and read again.
        guard try encoder.decode(encoder.encode(message)) == message else {
            throw Fault(what: "not the same after a round trip", input: String(decoding: bytes, as: UTF8.self))
        }
        look(into: message.jsonValue)
        return true
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
