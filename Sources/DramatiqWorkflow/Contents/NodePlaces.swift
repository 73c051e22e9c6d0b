import Dramatiq

/// Where the nodes of a content begin in its text, in that order.
///
/// Found in one walk over the text without recursion, so it costs the text's length whatever is in it. What is no array
/// of nodes is an error; what a node says besides its type and what lies in it is looked at when its turn comes.
struct NodePlaces: Sendable {
    enum Kind: UInt8 {
        case message, chain, group, delay
    }

    /// The place of the outermost array in ``parents``.
    static let none = UInt32.max

    private(set) var starts: [UInt32] = []
    /// The number of the node that each lies in.
    private(set) var parents: [UInt32] = []
    /// Where the text of a chain's or group's children ends.
    private(set) var ends: [UInt32] = []
    private(set) var kinds: [Kind] = []
    /// The numbers of the nodes that lie in no other.
    private(set) var outermost: [UInt32] = []
    /// How many levels of JSON there are at most.
    private(set) var depth = 0

    /// How much memory the places take, in bytes.
    var size: Int { starts.count * (3 * MemoryLayout<UInt32>.size + MemoryLayout<Kind>.size) }

    /// - Throws: `DecodeError`, ``WorkflowError/Code/invalidNode``.
    init(of text: [UInt8], maxDepth: Int = JSONMessageEncoder.defaultMaxDepth) throws {
        guard text.count < Int(UInt32.max) else {
            throw DecodeError(.tooLarge, "A stored workflow can't have \(text.count) bytes", offset: 0)
        }
        let result: Result<NodePlaces, any Error> = try JSONScanner.scan(text) { scanner throws(DecodeError) in
            var walk = NodeWalk(text: text, scanner: scanner, maxDepth: maxDepth)
            return Result { try walk.run() }
        }
        self = try result.get()
    }

    init() {}

    mutating func add(start: Int, parent: UInt32) -> UInt32 {
        starts.append(UInt32(start))
        parents.append(parent)
        ends.append(0)
        kinds.append(.message)
        if parent == Self.none { outermost.append(UInt32(starts.count - 1)) }
        return UInt32(starts.count - 1)
    }

    mutating func setEnd(of node: UInt32, _ end: Int) { ends[Int(node)] = UInt32(end) }

    mutating func setKind(of node: UInt32, _ kind: Kind) { kinds[Int(node)] = kind }

    mutating func note(depth: Int) { self.depth = max(self.depth, depth) }

    /// Where the children of a chain lie from one on; `nil` if that is no number of a chain's child.
    func rest(from cursor: Int) -> Range<Int>? {
        guard starts.indices.contains(cursor), parents[cursor] != Self.none else { return nil }
        let parent = Int(parents[cursor])
        guard kinds[parent] == .chain else { return nil }
        return Int(starts[cursor])..<Int(ends[parent])
    }

    /// The number of the child of a chain that is first in a range, if the range ends with the chain's children.
    func cursor(of range: Range<Int>) -> Int? {
        // White space may stand before it.
        var (low, high) = (0, starts.count)
        while low < high {
            let middle = (low + high) / 2
            if Int(starts[middle]) < range.lowerBound { low = middle + 1 } else { high = middle }
        }
        guard let rest = rest(from: low), rest.upperBound == range.upperBound else { return nil }
        return low
    }
}

/// Walks over an array of nodes.
private struct NodeWalk {
    /// An array of nodes, or a node of which some members were seen.
    private struct Open {
        enum Part {
            case none, children, task
        }

        let node: UInt32
        var kind: NodePlaces.Kind?
        /// What the node has.
        var part = Part.none
        /// Whether the walk is inside of that.
        var isInside = false
    }

    private enum Step {
        case node, member, afterNode, afterMember
    }

    private static let message = Array(#"{"__type__":"message","#.utf8)

    let text: [UInt8]
    var scanner: JSONScanner
    let maxDepth: Int
    private var places = NodePlaces()
    private var stack: [Open] = []

    init(text: [UInt8], scanner: JSONScanner, maxDepth: Int) {
        self.text = text
        self.scanner = scanner
        self.maxDepth = maxDepth
    }

    mutating func run() throws -> NodePlaces {
        scanner.skipWhitespace()
        try scanner.expect(UInt8(ascii: "["))
        stack.append(Open(node: NodePlaces.none, part: .children, isInside: true))
        scanner.skipWhitespace()
        var step = Step.node
        if scanner.byte == UInt8(ascii: "]") { step = .afterNode }
        while !stack.isEmpty {
            switch step {
            case .node: step = try takeNode()
            case .member: step = try takeMember()
            case .afterNode: step = try leaveNode()
            case .afterMember: step = try leaveMember()
            }
        }
        scanner.skipWhitespace()
        try scanner.expectEnd()
        places.note(depth: scanner.deepest)
        return places
    }

    private mutating func takeNode() throws -> Step {
        // Each node has an object and mostly an array around it.
        let depth = 2 * stack.count
        guard depth < maxDepth else {
            throw DecodeError(.tooDeep, "Nested deeper than \(maxDepth) levels", offset: scanner.position)
        }
        let node = places.add(start: scanner.position, parent: stack[stack.count - 1].node)
        if isAtMessage {
            try skipValue()
            return .afterNode
        }
        try scanner.expect(UInt8(ascii: "{"))
        stack.append(Open(node: node))
        scanner.skipWhitespace()
        return scanner.byte == UInt8(ascii: "}") ? .afterMember : .member
    }

    /// Whether a message follows as this library and Python write it, which its first bytes tell.
    private var isAtMessage: Bool {
        let end = scanner.position + Self.message.count
        return end <= text.count && text[scanner.position..<end].elementsEqual(Self.message)
    }

    private mutating func takeMember() throws -> Step {
        let start = scanner.position
        try scanner.skipString()
        let key = text[start..<scanner.position]
        scanner.skipWhitespace()
        try scanner.expect(UInt8(ascii: ":"))
        scanner.skipWhitespace()
        let last = stack.count - 1
        if JSONText.isKey(key, "__type__") {
            guard stack[last].kind == nil else { throw ambiguous("__type__", start) }
            let start = scanner.position
            try scanner.skipString()
            stack[last].kind = try kind(text[start..<scanner.position], start)
        } else if JSONText.isKey(key, "children"), scanner.byte == UInt8(ascii: "[") {
            guard stack[last].part == .none else { throw ambiguous("children", start) }
            stack[last].part = .children
            scanner.position += 1
            scanner.skipWhitespace()
            stack[last].isInside = true
            return scanner.byte == UInt8(ascii: "]") ? .afterNode : .node
        } else if JSONText.isKey(key, "task") {
            guard stack[last].part == .none else { throw ambiguous("task", start) }
            stack[last].part = .task
            stack[last].isInside = true
            return .node
        } else {
            try skipValue()
        }
        return .afterMember
    }

    /// Steps over what is no node.
    private mutating func skipValue() throws {
        let depth = 2 * stack.count
        scanner.maxDepth = maxDepth - depth
        try scanner.skipValue()
        // Which of the values was the deepest doesn't matter much.
        places.note(depth: depth + scanner.deepest)
    }

    private mutating func leaveNode() throws -> Step {
        scanner.skipWhitespace()
        let last = stack.count - 1
        if stack[last].part == .task {
            stack[last].isInside = false
            return .afterMember
        }
        if scanner.byte == UInt8(ascii: ",") {
            scanner.position += 1
            scanner.skipWhitespace()
            return .node
        }
        let end = scanner.position
        try scanner.expect(UInt8(ascii: "]"))
        let node = stack[last].node
        if node == NodePlaces.none {
            stack.removeLast()
            return .afterNode
        }
        places.setEnd(of: node, end)
        stack[last].isInside = false
        return .afterMember
    }

    private mutating func leaveMember() throws -> Step {
        scanner.skipWhitespace()
        if scanner.byte == UInt8(ascii: ",") {
            scanner.position += 1
            scanner.skipWhitespace()
            return .member
        }
        let end = scanner.position
        try scanner.expect(UInt8(ascii: "}"))
        let open = stack.removeLast()
        places.note(depth: 2 * stack.count + 2)
        switch (open.kind, open.part) {
        case (.message?, .none), (.chain?, .children), (.group?, .children), (.delay?, .task):
            break
        default:
            let start = Int(places.starts[Int(open.node)])
            throw invalid("a node must be a message, a chain or group of children, or a task with a delay", start..<end)
        }
        if let kind = open.kind { places.setKind(of: open.node, kind) }
        return .afterNode
    }

    private func kind(_ text: ArraySlice<UInt8>, _ start: Int) throws -> NodePlaces.Kind {
        if JSONText.isKey(text, "message") { return .message }
        if JSONText.isKey(text, "chain") { return .chain }
        if JSONText.isKey(text, "group") { return .group }
        if JSONText.isKey(text, "with_delay") { return .delay }
        throw invalid("there are no nodes of that type", start..<text.endIndex)
    }

    private func ambiguous(_ key: String, _ start: Int) -> WorkflowError {
        invalid("a node may have one \(key) and nothing else in its place", start..<text.endIndex)
    }

    private func invalid(_ reason: String, _ range: Range<Int>) -> WorkflowError {
        .invalidNode(reason: reason, excerpt: String(decoding: text[range].prefix(200), as: UTF8.self))
    }
}
