/// What an array or an object holds: a list, or verbatim text until somebody looks inside. It knows how deep that is
/// nested, so that a message too deep for its reader is found before it is sent, without a look at every byte.
enum JSONStorage<Element: Sendable>: Sendable {
    case list([Element], JSONNesting)
    /// Validated text between the brackets of a container with at most so many levels.
    case text(ArraySlice<UInt8>, depth: UInt32)

    /// Takes validated text from between the brackets of a container.
    ///
    /// - Parameter depth: how many levels the container has, at most; found out unless given.
    init(_ text: ArraySlice<UInt8>, depth: Int?) {
        // No level has less than its two brackets.
        var most = text.count / 2 + 1
        if let depth {
            most = min(most, depth)
        } else if most > JSONNesting.shallow {
            most = JSONText.depth(of: text) + 1
        }
        self = .text(text, depth: UInt32(clamping: most))
    }

    /// The text between the brackets, if that is what there is.
    var text: ArraySlice<UInt8>? {
        if case .text(let text, _) = self { text } else { nil }
    }

    /// How deep it is nested.
    var nesting: JSONNesting {
        switch self {
        case .list(_, let nesting): nesting
        case .text(_, let depth): JSONNesting(depth: Int(depth), lists: 0)
        }
    }
}

/// How deep a container is nested.
struct JSONNesting: Sendable {
    /// As many levels as text may have without anybody taking note of it.
    static let shallow = 1024
    /// As many lists as may lie in one another. What a program nests deeper becomes text, since it takes a part of the
    /// thread's stack for each list to write or free them.
    static let maxLists = 128

    /// How many levels of containers there are at most, its own included.
    private(set) var depth = 1
    /// How many lists lie in one another; text is none.
    private(set) var lists = 1

    /// Whether that is deeper than text may be without anybody taking note of it.
    var isDeep: Bool { depth > Self.shallow }

    /// A list of values that are no containers.
    init() {}

    fileprivate init(depth: Int, lists: Int) {
        self.depth = depth
        self.lists = lists
    }

    /// Takes account of a value in a list, which is as the list must hold it then.
    mutating func add(_ value: inout JSONValue) {
        guard var nesting = value.nesting else { return }
        if nesting.lists >= Self.maxLists {
            value = value.flattened
            nesting.lists = 0
        }
        depth = max(depth, nesting.depth + 1)
        lists = max(lists, nesting.lists + 1)
    }
}

extension JSONValue {
    /// How many levels of containers the value has at most; none if it is no container.
    package var depth: Int { nesting?.depth ?? 0 }

    var isContainer: Bool {
        switch self {
        case .array, .object: true
        default: false
        }
    }

    /// How deep the value is nested; `nil` if it is no container.
    var nesting: JSONNesting? {
        switch self {
        case .array(let array): array.storage.nesting
        case .object(let object): object.storage.nesting
        default: nil
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
