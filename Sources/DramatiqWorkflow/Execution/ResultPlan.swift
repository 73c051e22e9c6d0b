import Dramatiq

/// Finds out where the results come from that the tasks of a definition take.
///
/// Nodes are told apart by their number in the order of the definition. A name is visible to what comes after the step that
/// it is in; members of a group run side by side, so none sees those of another.
struct ResultSources {
    /// A chain, a group or a delay that is being gone through.
    private struct Frame {
        let number: Int
        let name: String?
        let isChain: Bool
        let isGroup: Bool
        var rest: ArraySlice<WorkflowNode>
        /// The step before it.
        let previous: Int?
        /// The child that was gone through last.
        var last: Int?
        /// How many names were visible when the child began.
        var visibleCount = 0
        /// The names in a group's members that are done.
        var hidden: [(name: TextKey, number: Int)] = []
    }

    /// The nodes whose results are taken.
    private(set) var taken: Set<Int> = []
    /// For each message in the order of the definition, the nodes whose results it takes.
    private(set) var ofMessages: [[Int]] = []
    /// All delays together.
    private(set) var delay = Duration.zero

    private var names: Set<TextKey> = []
    private var numbers: [TextKey: Int] = [:]
    /// What is visible, the latest last.
    private var visible: [TextKey] = []
    /// What is being gone through. Definitions can be nested deeper than the thread's stack allows.
    private var frames: [Frame] = []

    /// - Throws: ``WorkflowError/Code/resultUnknown``, ``WorkflowError/Code/resultNameRepeated``,
    ///   ``WorkflowError/Code/invalidResults``.
    init(_ root: WorkflowNode) throws(WorkflowError) {
        var count = 0
        var next: (node: WorkflowNode, previous: Int?)? = (root, nil)
        while true {
            if let (node, previous) = next {
                next = nil
                try begin(node, number: count, previous: previous)
                count += 1
            }
            guard var frame = frames.popLast() else { return }
            if let child = frame.rest.popFirst() {
                next = (child, frame.isChain ? frame.last ?? frame.previous : frame.previous)
                frame.visibleCount = visible.count
                frames.append(frame)
            } else {
                for (name, number) in frame.hidden { show(name, number) }
                try end(frame.number, frame.name)
            }
        }
    }

    private mutating func begin(_ node: WorkflowNode, number: Int, previous: Int?) throws(WorkflowError) {
        switch node.content {
        case .message(let message):
            ofMessages.append(try sources(message, previous: previous))
            try end(number, message.resultName)
        case .chain(let children), .group(let children):
            var isChain = false
            if case .chain = node.content { isChain = true }
            frames.append(
                Frame(
                    number: number, name: node.resultName, isChain: isChain, isGroup: !isChain, rest: children[...],
                    previous: previous))
        case .withDelay(let child, let delay):
            self.delay += max(.zero, min(delay, .seconds(1 << 40)))
            frames.append(
                Frame(
                    number: number, name: node.resultName, isChain: false, isGroup: false, rest: [child],
                    previous: previous))
        }
    }

    private mutating func sources(_ message: Message, previous: Int?) throws(WorkflowError) -> [Int] {
        var sources: [Int] = []
        for result in try message.takenResults() {
            if let name = result.name {
                guard let number = numbers[TextKey(name)] else {
                    throw .resultUnknown(
                        message, "no step before it on its way has the name '\(name.excerpt(maxBytes: 200))'")
                }
                sources.append(number)
            } else {
                guard let previous else { throw .resultUnknown(message, "there is no step before it") }
                sources.append(previous)
            }
        }
        taken.formUnion(sources)
        return sources
    }

    private mutating func end(_ number: Int, _ name: String?) throws(WorkflowError) {
        if let name {
            guard names.insert(TextKey(name)).inserted else { throw .resultNameRepeated(name) }
            show(TextKey(name), number)
        }
        guard !frames.isEmpty else { return }
        let parent = frames.count - 1
        frames[parent].last = number
        guard frames[parent].isGroup else { return }
        while visible.count > frames[parent].visibleCount, let name = visible.popLast() {
            if let number = numbers.removeValue(forKey: name) { frames[parent].hidden.append((name, number)) }
        }
    }

    private mutating func show(_ name: TextKey, _ number: Int) {
        visible.append(name)
        numbers[name] = number
    }
}

/// Gives a definition what its tasks need to take results: ids that can be derived from each other to those whose results are
/// taken, which are to be kept, and references to them to those that take them. What is only for the definition, such as
/// names, goes.
struct ResultPlan {
    /// Messages whose results are taken together, with ids that count up.
    private final class Block {
        let ids: String
        var count = 0

        init(ids: String) {
            self.ids = ids
        }
    }

    private struct Frame {
        let node: WorkflowNode
        let number: Int
        /// Where its messages get their ids, if its result is taken or is part of one that is.
        let block: Block?
        /// The number of its first id.
        let first: Int
        /// In how many groups it lies, itself included, whose results are part of the one that is taken.
        let depth: Int
        var rest: ArraySlice<WorkflowNode>
        var changed: [WorkflowNode] = []
        /// The results of its children, of a chain only that of the last.
        var runs: [TakenResults.Shape.Run] = []
    }

    private let sources: ResultSources
    private let ttl: Int
    /// Different in each run, so that two of the same definition don't share results.
    private let seed = UniqueID.make()
    private var blockCount = 0
    private var messageCount = 0
    /// Where the results are that were gone by, by the number of their node.
    private var references: [Int: (reference: TakenResults.Reference, count: Int)] = [:]
    private var frames: [Frame] = []

    /// - Parameter ttl: for how long results are kept, in milliseconds.
    init(_ sources: ResultSources, ttl: Int) {
        self.sources = sources
        self.ttl = ttl
    }

    /// The definition as it can be started.
    ///
    /// - Throws: ``WorkflowError/Code/tooManyResults``, ``WorkflowError/Code/resultUnknown``.
    mutating func resolve(_ root: WorkflowNode) throws(WorkflowError) -> WorkflowNode {
        var count = 0
        var next: (node: WorkflowNode, block: Block?)? = (root, nil)
        while true {
            var finished: (node: WorkflowNode, shape: TakenResults.Shape)?
            if let (node, outer) = next {
                next = nil
                var block = outer
                if block == nil, sources.taken.contains(count) {
                    block = Block(ids: "\(seed):\(blockCount)")
                    blockCount += 1
                }
                let frame = Frame(
                    node: node, number: count, block: block, first: block?.count ?? 0,
                    depth: try depth(node, block), rest: Self.children(node)[...])
                count += 1
                if case .message(let message) = node.content {
                    finished = try resolve(message, block)
                    note(finished?.shape ?? .nothing, frame)
                } else {
                    frames.append(frame)
                }
            }
            if finished == nil, var frame = frames.popLast() {
                if let child = frame.rest.popFirst() {
                    var isPart = true
                    if case .chain = frame.node.content { isPart = frame.rest.isEmpty }
                    next = (child, isPart ? frame.block : nil)
                    frames.append(frame)
                } else {
                    let shape = Self.shape(frame)
                    note(shape, frame)
                    finished = (WorkflowNode(Self.content(frame), traits: frame.node.traits), shape)
                }
            }
            guard let finished else { continue }
            guard !frames.isEmpty else { return finished.node }
            add(finished.node, finished.shape)
        }
    }

    /// Shapes are gone through with the thread's stack, so how deep they are has to be known before they are made.
    private func depth(_ node: WorkflowNode, _ block: Block?) throws(WorkflowError) -> Int {
        guard let block else { return 0 }
        var depth = frames.last.map { $0.block === block ? $0.depth : 0 } ?? 0
        if case .group = node.content { depth += 1 }
        guard depth <= TakenResults.maxDepth else { throw .resultsTooDeep(limit: TakenResults.maxDepth) }
        return depth
    }

    private static func children(_ node: WorkflowNode) -> [WorkflowNode] {
        switch node.content {
        case .message: []
        case .chain(let children), .group(let children): children
        case .withDelay(let child, _): [child]
        }
    }

    private static func content(_ frame: Frame) -> WorkflowNode.Content {
        switch frame.node.content {
        case .message(let message): .message(message)
        case .chain: .chain(frame.changed)
        case .group: .group(frame.changed)
        case .withDelay(_, let delay): .withDelay(frame.changed[0], delay)
        }
    }

    private static func shape(_ frame: Frame) -> TakenResults.Shape {
        if case .group = frame.node.content { return .list(frame.runs) }
        return frame.runs.first?.shape ?? .nothing
    }

    private mutating func note(_ shape: TakenResults.Shape, _ frame: Frame) {
        guard let block = frame.block, sources.taken.contains(frame.number) else { return }
        let reference = TakenResults.Reference(ids: block.ids, first: frame.first, shape: shape)
        references[frame.number] = (reference, block.count - frame.first)
    }

    /// Adds a child that is done to what it is in.
    private mutating func add(_ node: WorkflowNode, _ shape: TakenResults.Shape) {
        let parent = frames.count - 1
        frames[parent].changed.append(node)
        guard frames[parent].block != nil else { return }
        guard case .group = frames[parent].node.content else {
            frames[parent].runs = [TakenResults.Shape.Run(shape: shape, count: 1)]
            return
        }
        let last = frames[parent].runs.count - 1
        if last >= 0, frames[parent].runs[last].shape == shape {
            frames[parent].runs[last].count += 1
        } else {
            frames[parent].runs.append(TakenResults.Shape.Run(shape: shape, count: 1))
        }
    }

    private mutating func resolve(
        _ original: Message,
        _ block: Block?
    ) throws(WorkflowError) -> (WorkflowNode, TakenResults.Shape) {
        var message = original
        message.options[Message.resultNameOption] = nil
        let numbers = sources.ofMessages[messageCount]
        messageCount += 1
        if !numbers.isEmpty { message.options[TakenResults.option] = try option(numbers, message) }
        guard message.isPiped else {
            if let block { keepResult(&message, block) }
            return (.message(message), Self.shape(message))
        }
        var pipeline = Pipeline(message)
        let last = pipeline.messages.count - 1
        guard pipeline.messages.dropFirst().allSatisfy({ !$0.options.has(TakenResults.option) }) else {
            throw .resultUnknown(message, "only the first message of a pipeline can take results of other steps")
        }
        let shape = Self.shape(pipeline.messages[last])
        guard let block else { return (.message(message), shape) }
        keepResult(&pipeline.messages[last], block)
        return (.message(pipeline.joined), shape)
    }

    private static func shape(_ message: Message) -> TakenResults.Shape {
        .message(queueName: QueueName.canonical(message.queueName), actorName: message.actorName)
    }

    /// Has a message's result kept, under an id that is known by then.
    private func keepResult(_ message: inout Message, _ block: Block) {
        message = message.renamed(UniqueID.derived(from: block.ids, block.count))
        block.count += 1
        message.options["store_results"] = true
        // It may be asked for by others as well.
        let asked = message.options.value("result_ttl")?.doubleValue ?? 0
        message.options["result_ttl"] = .integer(max(ttl, Int(clampingToInt: asked)))
    }

    private func option(_ numbers: [Int], _ taker: Message) throws(WorkflowError) -> JSONValue {
        var count = 0
        var taken = TakenResults(references: [])
        for number in numbers {
            guard let known = references[number] else { continue }
            taken.references.append(known.reference)
            count += known.count
        }
        guard count <= TakenResults.maxCount else {
            throw .tooManyResults(taker, "\(count) results, of \(TakenResults.maxCount) at most")
        }
        let value = taken.jsonValue
        let size = value.encoded().count
        guard size <= TakenResults.maxSize else {
            throw .tooManyResults(
                taker,
                "saying where the results are takes \(size) bytes, of \(TakenResults.maxSize) at most: members of a "
                    + "group that are alike, one after the other, take no more than a single one")
        }
        return value
    }
}
