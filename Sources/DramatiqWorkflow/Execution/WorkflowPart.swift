import Dramatiq

/// A part of a workflow that is to be started: values of this program, or JSON out of a message, which stays text until
/// its turn comes.
enum WorkflowPart {
    case node(WorkflowNode)
    case json(JSONValue)
}

/// Parts in a row: the children of a chain or a group.
enum WorkflowParts {
    case nodes(ArraySlice<WorkflowNode>)
    case json(JSONArray)

    var isEmpty: Bool {
        switch self {
        case .nodes(let nodes): nodes.isEmpty
        case .json(let array): array.isEmpty
        }
    }

    /// How many there are. Reads all of them if they are JSON.
    var count: Int {
        switch self {
        case .nodes(let nodes): nodes.count
        case .json(let array): array.elements.count
        }
    }

    /// Takes the first part off.
    mutating func popFirst() -> WorkflowPart? {
        switch self {
        case .nodes(var nodes):
            guard let first = nodes.popFirst() else { return nil }
            self = .nodes(nodes)
            return .node(first)
        case .json(let array):
            guard let (first, rest) = array.splittingFirst() else { return nil }
            self = .json(rest)
            return .json(first)
        }
    }

    /// The parts as the chain that remains to be run.
    func remainingChain(_ identities: inout MessageIdentities) throws -> JSONValue {
        let children: JSONArray
        switch self {
        case .json(let array):
            children = array
        case .nodes(let nodes):
            var writer = JSONWriter(capacity: 512 * nodes.count)
            try WorkflowNode.write(nodes, into: &writer, &identities)
            children = JSONArray(validatedText: writer.bytes[...])
        }
        return ["__type__": "chain", "children": .array(children)]
    }
}

/// Gives a message that stands in a workflow more than once an id of its own, since arrivals are counted by id.
struct MessageIdentities {
    /// The first id, which is often the only one.
    private var first: String?
    private var seen: Set<String> = []
    private var makeID: (String) -> String

    /// Random ids, for a workflow that is started by a program.
    static var random: MessageIdentities {
        MessageIdentities { _ in UniqueID.make() }
    }

    /// Ids that are the same when a step is repeated.
    static var derived: MessageIdentities {
        var count = 0
        return MessageIdentities { id in
            count += 1
            return UniqueID.derived(from: id, count)
        }
    }

    private init(_ makeID: @escaping (String) -> String) {
        self.makeID = makeID
    }

    mutating func distinct(_ message: Message) -> Message {
        guard let first else {
            self.first = message.messageID
            return message
        }
        if seen.isEmpty { seen.insert(first) }
        if seen.insert(message.messageID).inserted { return message }
        var copy = message
        repeat { copy.messageID = makeID(message.messageID) } while !seen.insert(copy.messageID).inserted
        return copy
    }
}
