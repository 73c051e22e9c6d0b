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
        private var places: [TextKey: Int] = [:]

        mutating func set(_ key: String, _ node: EncodingNode) {
            if let place = places[TextKey(key)] {
                list[place].node = node
            } else {
                places[TextKey(key)] = list.count
                list.append((key, node))
            }
        }
    }

    private var content = Content.nothing
    /// How many containers the value stands in.
    private let depth: Int
    /// How many values encode themselves into this node, one as the content of the other.
    private var wrappings = 0

    init(depth: Int) {
        self.depth = depth
    }

    /// Whether the value stands deeper than anybody would read it again. What is inside is not kept then.
    private var isTooDeep: Bool { depth + wrappings > ValueDecoder.maxDepth + 1 }

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
        let node = EncodingNode(depth: depth + 1)
        if !isTooDeep, case .elements(var elements) = content {
            content = .nothing  // So that the array is not copied.
            elements.append(node)
            content = .elements(elements)
        }
        return node
    }

    func setMember(_ key: String) -> EncodingNode {
        let node = EncodingNode(depth: depth + 1)
        if !isTooDeep, case .members(var members) = content {
            content = .nothing  // So that the list is not copied.
            members.set(key, node)
            content = .members(members)
        }
        return node
    }

    /// Encodes a value into this node. What Foundation's coder treats in a special way looks the same here: `Data` is
    /// Base64, a `URL` its text, a `Decimal` a number. A `Date` is what Python's `datetime.fromisoformat` reads.
    func encode<Value: Encodable>(_ value: Value, in outer: CodingRoute? = nil, at step: CodingRoute.Step? = nil) throws
    {
        switch value {
        case let value as JSONValue: set(value)
        case let value as Data: set(.string(value.base64EncodedString()))
        case let value as Date:
            guard let text = value.iso8601Text else {
                // Not the date itself, whose description doesn't bear every value.
                throw EncodingError.invalidValue(
                    value.timeIntervalSinceReferenceDate,
                    EncodingError.Context(
                        codingPath: CodingRoute.path(outer, step),
                        debugDescription: "a date must be in the years 1 to 9999"))
            }
            set(.string(text))
        case let value as URL: set(.string(value.absoluteString))
        case let value as Decimal: set(value.isNaN ? .double(.nan) : .number(JSONNumber(unchecked: "\(value)")))
        default:
            wrappings += 1
            defer { wrappings -= 1 }
            guard !isTooDeep else { throw tooDeep() }
            let encoder = ValueEncoder(node: self, outer: outer, step: step)
            try value.encode(to: encoder)
            if case .nothing = content {
                throw EncodingError.invalidValue(
                    value,
                    EncodingError.Context(
                        codingPath: CodingRoute.path(outer, step),
                        debugDescription: "\(Value.self) did not encode anything"))
            }
        }
    }

    private func tooDeep() -> EncodingError {
        // Without the path, which would be as long as it is deep.
        .invalidValue(
            JSONValue.null,
            EncodingError.Context(
                codingPath: [], debugDescription: "it is nested deeper than \(ValueDecoder.maxDepth) levels"))
    }

    /// Appends the text. Recursion is no deeper than ``ValueDecoder/maxDepth``.
    ///
    /// - Returns: how many levels of containers the text has at most.
    /// - Throws: `EncodingError` if a decoder would not read it again.
    func write(into writer: inout JSONWriter) throws -> Int {
        var depth = 0
        switch content {
        case .nothing:
            writer.append("{}")
            return 1
        case .value(let value):
            writer.write(value)
            return value.depth
        case .elements(let elements):
            guard self.depth < ValueDecoder.maxDepth else { throw tooDeep() }
            writer.append(UInt8(ascii: "["))
            var isFirst = true
            for element in elements {
                if !isFirst { writer.append(UInt8(ascii: ",")) }
                isFirst = false
                depth = max(depth, try element.write(into: &writer))
            }
            writer.append(UInt8(ascii: "]"))
        case .members(let members):
            guard self.depth < ValueDecoder.maxDepth else { throw tooDeep() }
            writer.append(UInt8(ascii: "{"))
            var isFirst = true
            for (key, node) in members.list {
                if !isFirst { writer.append(UInt8(ascii: ",")) }
                isFirst = false
                writer.write(key)
                writer.append(UInt8(ascii: ":"))
                depth = max(depth, try node.write(into: &writer))
            }
            writer.append(UInt8(ascii: "}"))
        }
        return depth + 1
    }
}
