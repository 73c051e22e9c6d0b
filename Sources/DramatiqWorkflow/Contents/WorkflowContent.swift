package import Dramatiq

/// What remains of a workflow when its first tasks are sent, as it is stored: the JSON text of an array of chains.
///
///     [{"__type__":"chain","children":[B,C]},{"__type__":"chain","children":[D]}]
///
/// What remains later is a part of it: the children of a chain, from one of them on. A *cursor* says which: it is the
/// number of that child among all nodes of the content, in the order in which they begin in the text, from 0.
///
/// The content of a run that is tracked says so in its last chain, `"run":"…"`, so that it is that run's alone: another run
/// of the same workflow has another content, and what is removed with the one is not missed by the other.
package final class WorkflowContent: Sendable {
    package let text: [UInt8]
    let places: NodePlaces

    /// - Throws: `DecodeError`, ``WorkflowError/Code/invalidNode``.
    package init(_ text: [UInt8]) throws {
        self.text = text
        places = try NodePlaces(of: text)
    }

    /// A content that has no nodes: callbacks.
    package init(withoutNodes text: [UInt8]) {
        self.text = text
        places = NodePlaces()
    }

    /// How much memory it takes, in bytes.
    package var size: Int { text.count + places.size }
    /// How many levels of JSON there are at most.
    package var depth: Int { places.depth }

    /// The children of a chain, from the one on that a cursor is the number of. They are a part of ``text``.
    ///
    /// - Returns: `nil` if that is no child of a chain. The cursor may be anything.
    package func rest(from cursor: Int) -> JSONArray? {
        places.rest(from: cursor).map { JSONArray(validatedText: text[$0], depth: places.depth) }
    }

    /// The cursor for children that are a part of ``text``; `nil` if they come from somewhere else.
    package func cursor(of rest: JSONArray) -> Int? {
        guard let slice = rest.validatedText else { return nil }
        let isPart = text.withUnsafeBufferPointer { whole in
            slice.withUnsafeBufferPointer { part in
                guard let start = whole.baseAddress, let base = part.baseAddress else { return false }
                return base == start + slice.startIndex && slice.endIndex <= whole.count
            }
        }
        return isPart ? places.cursor(of: slice.startIndex..<slice.endIndex) : nil
    }

    /// The cursor for all children of one of the outermost chains; `nil` if it has none.
    package func cursor(ofChain index: Int) -> Int? {
        guard places.outermost.indices.contains(index) else { return nil }
        let first = Int(places.outermost[index]) + 1
        return places.rest(from: first) != nil && places.parents[first] == places.outermost[index] ? first : nil
    }

    /// Whether it is that of a run and of no other.
    func belongs(to run: String) -> Bool {
        let mark = ContentWriter.mark(of: run) + Array("}]".utf8)
        return text.count >= mark.count && text.suffix(mark.count).elementsEqual(mark)
    }

    /// The text for chains with these children.
    package static func text(_ chains: [JSONArray], ofRun run: String? = nil) -> [UInt8] {
        var writer = ContentWriter()
        for children in chains { writer.add { $0.append(children.validatedText ?? JSONArray.content(children)) } }
        return writer.finish(ofRun: run).text
    }
}

/// Writes the text of a content.
package struct ContentWriter {
    private var writer = JSONWriter(capacity: 512)
    private var ranges: [Range<Int>] = []

    package init() {
        writer.append(UInt8(ascii: "["))
    }

    /// Adds a chain with the children that a closure writes, separated by commas.
    package mutating func add<Failure: Error>(_ writeChildren: (inout JSONWriter) throws(Failure) -> Void)
        throws(Failure)
    {
        if !ranges.isEmpty { writer.append("},") }
        writer.append("{\"__type__\":\"chain\",\"children\":[")
        let start = writer.bytes.count
        try writeChildren(&writer)
        ranges.append(start..<writer.bytes.count)
        writer.append("]")
    }

    /// The text, and where the children of each chain are.
    ///
    /// - Parameter run: the run that it is the content of, if it is tracked.
    package consuming func finish(ofRun run: String? = nil) -> (text: [UInt8], children: [Range<Int>]) {
        if !ranges.isEmpty {
            if let run { writer.append(Self.mark(of: run)[...]) }
            writer.append(UInt8(ascii: "}"))
        }
        writer.append(UInt8(ascii: "]"))
        return (writer.bytes, ranges)
    }

    /// What a chain says of the run that it belongs to.
    static func mark(of run: String) -> [UInt8] {
        Array(",\"run\":".utf8) + JSONValue.string(run).encoded()
    }
}

extension JSONArray {
    fileprivate static func content(_ array: JSONArray) -> ArraySlice<UInt8> {
        JSONValue.array(array).encoded().dropFirst().dropLast()
    }
}
