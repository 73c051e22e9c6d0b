#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// One value while it is encoded. Containers can be filled in any order, so they are kept until all is known.
final class EncodingNode {
    private enum Content {
        case nothing
        case value(JSONValue)
        case elements([EncodingNode])
        case members(Members)
    }

    /// An object's members in the order in which they came; a key that comes again takes the new value.
    private struct Members {
        private(set) var list: [(key: String, node: EncodingNode)] = []
        private var places: [String: Int] = [:]

        mutating func set(_ key: String, _ node: EncodingNode) {
            if let place = places[key] {
                list[place].node = node
            } else {
                places[key] = list.count
                list.append((key, node))
            }
        }
    }

    private var content = Content.nothing

    init() {}

    var elementCount: Int {
        if case .elements(let elements) = content { return elements.count }
        return 0
    }

    func set(_ value: JSONValue) {
        content = .value(value)
    }

    func beginArray() {
        if case .elements = content { return }
        content = .elements([])
    }

    func beginObject() {
        if case .members = content { return }
        content = .members(Members())
    }

    func appendElement() -> EncodingNode {
        let node = EncodingNode()
        if case .elements(var elements) = content {
            content = .nothing  // So that the array is not copied.
            elements.append(node)
            content = .elements(elements)
        }
        return node
    }

    func setMember(_ key: String) -> EncodingNode {
        let node = EncodingNode()
        if case .members(var members) = content {
            content = .nothing  // So that the list is not copied.
            members.set(key, node)
            content = .members(members)
        }
        return node
    }

    /// Encodes a value into this node. What Foundation's coder treats in a special way looks the same here: `Data` is
    /// Base64, a `URL` its text, a `Decimal` a number. A `Date` is what Python's `datetime.fromisoformat` reads.
    func encode<Value: Encodable>(_ value: Value, path: [any CodingKey]) throws {
        switch value {
        case let value as JSONValue: set(value)
        case let value as Data: set(.string(value.base64EncodedString()))
        case let value as Date:
            guard let text = value.iso8601Text else {
                // Not the date itself, whose description doesn't bear every value.
                throw EncodingError.invalidValue(
                    value.timeIntervalSinceReferenceDate,
                    EncodingError.Context(
                        codingPath: path, debugDescription: "a date must be in the years 1 to 9999"))
            }
            set(.string(text))
        case let value as URL: set(.string(value.absoluteString))
        case let value as Decimal: set(value.isNaN ? .double(.nan) : .number(JSONNumber(unchecked: "\(value)")))
        default:
            let encoder = ValueEncoder(node: self, codingPath: path)
            try value.encode(to: encoder)
            if case .nothing = content {
                throw EncodingError.invalidValue(
                    value,
                    EncodingError.Context(codingPath: path, debugDescription: "\(Value.self) did not encode anything"))
            }
        }
    }

    /// Appends the text. Recursion is as deep as that of the values that were encoded.
    func write(into writer: inout JSONWriter) {
        switch content {
        case .nothing:
            writer.append("{}")
        case .value(let value):
            writer.write(value)
        case .elements(let elements):
            writer.append(UInt8(ascii: "["))
            var isFirst = true
            for element in elements {
                if !isFirst { writer.append(UInt8(ascii: ",")) }
                isFirst = false
                element.write(into: &writer)
            }
            writer.append(UInt8(ascii: "]"))
        case .members(let members):
            writer.append(UInt8(ascii: "{"))
            var isFirst = true
            for (key, node) in members.list {
                if !isFirst { writer.append(UInt8(ascii: ",")) }
                isFirst = false
                writer.write(key)
                writer.append(UInt8(ascii: ":"))
                node.write(into: &writer)
            }
            writer.append(UInt8(ascii: "}"))
        }
    }
}
