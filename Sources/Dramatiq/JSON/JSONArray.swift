/// The elements of a JSON array: a list, or the verbatim text of one until somebody looks inside.
public struct JSONArray: Sendable {
    var storage: JSONStorage<JSONValue>

    public init(_ elements: [JSONValue] = []) {
        var elements = elements
        var nesting = JSONNesting()
        for index in elements.indices where elements[index].isContainer { nesting.add(&elements[index]) }
        storage = .list(elements, nesting)
    }

    /// Takes validated JSON text: what stands between the brackets of an array.
    ///
    /// - Parameter depth: how many levels of containers the array has at most, itself included; found out unless given.
    package init(validatedText text: ArraySlice<UInt8>, depth: Int? = nil) {
        storage = JSONStorage(text, depth: depth)
    }

    /// The text between the brackets, if that is what there is.
    package var validatedText: ArraySlice<UInt8>? { storage.text }

    /// JSON text: what stands between the brackets.
    var content: ArraySlice<UInt8> {
        storage.text ?? JSONValue.array(self).encoded().dropFirst().dropLast()
    }

    /// The elements. Arrays and objects among them stay verbatim until they are looked into in turn.
    public var elements: [JSONValue] {
        switch storage {
        case .list(let elements, _): elements
        case .text(let text, _): JSONText.elements(text, isDeep: storage.nesting.isDeep)
        }
    }

    /// The elements, with the containers in them split down to a number of levels. One walk over the text instead of one
    /// for each level, for large arrays that somebody is going to look into.
    ///
    /// - Returns: `nil` if that are more than so many values, each of which takes far more memory than its text.
    package func elements(levels: Int, maxCount: Int) -> [JSONValue]? {
        switch storage {
        case .list(let elements, _): elements
        case .text(let text, _) where storage.nesting.isDeep:
            JSONText.elements(text, levels: 0, maxCount: maxCount) == nil ? nil : elements
        case .text(let text, _): JSONText.elements(text, levels: levels, maxCount: maxCount)
        }
    }

    /// How many elements there are.
    package var count: Int {
        switch storage {
        case .list(let elements, _): elements.count
        case .text(let text, _): JSONText.count(text)
        }
    }

    /// Whether there is no element; never reads further than the first.
    public var isEmpty: Bool {
        switch storage {
        case .list(let elements, _): elements.isEmpty
        case .text(let text, _): JSONText.isBlank(text)
        }
    }

    /// Takes the first element off; the rest stays verbatim text if it was. `nil` if the array is empty.
    package func splittingFirst() -> (first: JSONValue, rest: JSONArray)? {
        switch storage {
        case .list(let elements, _):
            guard let first = elements.first else { return nil }
            return (first, JSONArray(Array(elements.dropFirst())))
        case .text(let text, let depth):
            return JSONText.splitFirst(text, isDeep: storage.nesting.isDeep).map {
                ($0.first, JSONArray(validatedText: $0.rest, depth: Int(depth)))
            }
        }
    }

    /// Adds an element at the end.
    public mutating func append(_ element: JSONValue) {
        switch storage {
        case .list(var elements, var nesting):
            storage = .list([], nesting)  // So that the list is not copied.
            var element = element
            nesting.add(&element)
            elements.append(element)
            storage = .list(elements, nesting)
        case .text(let text, _):
            var writer = JSONWriter(capacity: text.count + 32)
            writer.append(text)
            if !JSONText.isBlank(text) { writer.append(UInt8(ascii: ",")) }
            writer.write(element)
            storage = JSONStorage(writer.bytes[...], depth: nil)
        }
    }
}

extension JSONArray: Hashable {
    public static func == (left: JSONArray, right: JSONArray) -> Bool {
        JSONValue.array(left).encoded() == JSONValue.array(right).encoded()
    }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(JSONValue.array(self).encoded())
    }
}

extension JSONArray: ExpressibleByArrayLiteral, CustomStringConvertible {
    public init(arrayLiteral elements: JSONValue...) {
        self.init(elements)
    }

    /// The array as compact JSON.
    public var description: String { JSONValue.array(self).description }
}
