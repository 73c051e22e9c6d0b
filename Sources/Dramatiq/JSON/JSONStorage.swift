/// What an array or an object holds: a list, or verbatim text until somebody looks inside. It knows how deep that is
/// nested, so that a message too deep for its reader is found before it is sent, without a look at every byte.
enum JSONStorage<Element: Sendable>: Sendable {
    case list([Element], JSONNesting)
    /// Validated text between the brackets of a container that has no more than ``JSONNesting/shallow`` levels.
    case text(ArraySlice<UInt8>)
    /// Validated text between the brackets of any other.
    case deep(DeepText)

    /// Takes validated text from between the brackets of a container.
    ///
    /// - Parameter depth: how many levels the container has, at most.
    init(_ text: ArraySlice<UInt8>, depth: Int) {
        self = depth <= JSONNesting.shallow ? .text(text) : .deep(DeepText(text: text, depth: depth))
    }

    /// Takes validated text of which it is not known how deep it is nested.
    init(measuring text: ArraySlice<UInt8>) {
        self = .text(text)
        if text.count / 2 >= JSONNesting.shallow { self = Self(text, depth: JSONText.depth(of: text) + 1) }
    }

    /// The text between the brackets, if that is what there is.
    var text: ArraySlice<UInt8>? {
        switch self {
        case .list: nil
        case .text(let text): text
        case .deep(let deep): deep.text
        }
    }

    /// How many levels of containers there are at most, this one included.
    var depth: Int {
        switch self {
        case .list(_, let nesting): nesting.depth
        case .text(let text): min(JSONNesting.shallow, text.count / 2 + 1)
        case .deep(let deep): deep.depth
        }
    }

    /// How many lists lie in one another.
    var lists: Int {
        if case .list(_, let nesting) = self { nesting.lists } else { 0 }
    }
}

/// How deep a list of values is nested.
struct JSONNesting: Sendable {
    /// As many levels as text may have without anybody taking note of it.
    static let shallow = 1024
    /// As many lists as may lie in one another. What a program nests deeper becomes text, since it takes a part of the
    /// thread's stack for each list to write or free them.
    static let maximumLists = 128

    /// How many levels of containers there are at most, the list's own included.
    private(set) var depth = 1
    /// How many lists lie in one another, this one included.
    private(set) var lists = 1

    /// Takes account of a value in the list, which is as the list must hold it then.
    mutating func add(_ value: inout JSONValue) {
        guard value.depth > 0 else { return }
        if value.lists >= Self.maximumLists { value = value.flattened }
        depth = max(depth, value.depth + 1)
        lists = max(lists, value.lists + 1)
    }
}

/// Text that is nested deeper than most.
final class DeepText: Sendable {
    let text: ArraySlice<UInt8>
    /// How many levels of containers there are at most, that between whose brackets the text stands included.
    let depth: Int

    init(text: ArraySlice<UInt8>, depth: Int) {
        self.text = text
        self.depth = depth
    }
}

extension JSONValue {
    /// How many levels of containers the value has at most; none if it is no container.
    package var depth: Int {
        switch self {
        case .array(let array): array.storage.depth
        case .object(let object): object.storage.depth
        default: 0
        }
    }

    fileprivate var lists: Int {
        switch self {
        case .array(let array): array.storage.lists
        case .object(let object): object.storage.lists
        default: 0
        }
    }

    /// The value with its text in the place of its lists.
    fileprivate var flattened: JSONValue {
        let content = encoded().dropFirst().dropLast()
        return switch self {
        case .array: .array(JSONArray(validatedText: content, depth: depth))
        case .object: .object(JSONObject(validatedText: content, depth: depth))
        default: self
        }
    }
}

extension JSONText {
    /// How many levels of containers lie in one another in valid text.
    static func depth(of text: ArraySlice<UInt8>) -> Int {
        var depth = 0
        var deepest = 0
        text.withUnsafeBufferPointer { bytes in
            var index = 0
            while index < bytes.count {
                switch bytes[index] {
                case UInt8(ascii: "\""):
                    index += 1
                    while index < bytes.count, bytes[index] != UInt8(ascii: "\"") {
                        index += bytes[index] == UInt8(ascii: "\\") ? 2 : 1
                    }
                case UInt8(ascii: "["), UInt8(ascii: "{"):
                    depth += 1
                    deepest = max(deepest, depth)
                case UInt8(ascii: "]"), UInt8(ascii: "}"):
                    depth -= 1
                default:
                    break
                }
                index += 1
            }
        }
        return deepest
    }
}
