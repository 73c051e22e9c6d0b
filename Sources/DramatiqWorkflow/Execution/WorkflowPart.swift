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

    /// A single part.
    init(_ part: WorkflowPart) {
        switch part {
        case .node(let node): self = .nodes([node])
        case .json(let value): self = .json([value])
        }
    }

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
        case .json(let array): array.count
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

    /// The queue of the first message in the parts, wherever it is nested. What can't be read is passed over here; it
    /// fails when its turn comes.
    var firstQueue: String? {
        var stack = [self]
        while var parts = stack.popLast() {
            guard let first = parts.popFirst() else { continue }
            stack.append(parts)
            switch first {
            case .node(let node):
                switch node.content {
                case .message(let message): return message.queueName
                case .chain(let children), .group(let children): stack.append(.nodes(children[...]))
                case .withDelay(let child, _): stack.append(.nodes([child]))
                }
            case .json(let value):
                switch try? JSONNode(value) {
                case .message(let message)?: return message.queueName
                case .chain(let children)?, .group(let children, _)?: stack.append(.json(children))
                case .withDelay(let child, _)?: stack.append(.json([child]))
                case nil: break
                }
            }
        }
        return nil
    }
}

/// Gives a message that stands in a workflow more than once an id of its own, since arrivals are counted by id.
struct MessageIdentities {
    /// The first id, which is often the only one.
    private var first: String?
    private var seen: Set<TextKey> = []
    private var renamesAll = false
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

    /// Ids that are the same when a task adds the same again, whatever ids it has given to its messages.
    ///
    /// - Parameter party: the task.
    static func added(by party: String) -> MessageIdentities {
        var count = 0
        var identities = MessageIdentities { _ in
            count += 1
            return UniqueID.derived(from: "\(party)+", count)
        }
        identities.renamesAll = true
        return identities
    }

    private init(_ makeID: @escaping (String) -> String) {
        self.makeID = makeID
    }

    /// The message under ids that nobody else in the workflow has. A message that is piped into others arrives as the
    /// last of them.
    mutating func distinct(_ message: Message) -> Message {
        guard message.isPiped else { return distinctLink(message) }
        var pipeline = Pipeline(message)
        var isChanged = false
        for (index, link) in pipeline.messages.enumerated() {
            pipeline.messages[index] = distinctLink(link)
            if !pipeline.messages[index].messageID.hasSameBytes(as: link.messageID) { isChanged = true }
        }
        return isChanged ? pipeline.joined : message
    }

    private mutating func distinctLink(_ message: Message) -> Message {
        if renamesAll { return message.renamed(makeID(message.messageID)) }
        guard let first else {
            self.first = message.messageID
            return message
        }
        if seen.isEmpty { seen.insert(TextKey(first)) }
        if seen.insert(TextKey(message.messageID)).inserted { return message }
        var id: String
        repeat { id = makeID(message.messageID) } while !seen.insert(TextKey(id)).inserted
        return message.renamed(id)
    }
}
