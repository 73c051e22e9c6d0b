import Dramatiq

/// Works out what starting a part of a workflow means: which messages are sent, with which delays, and which barriers
/// are made. Sends nothing itself.
///
/// Goes through nested parts with a stack of its own, so depth is no matter. Empty parts without a delay complete at
/// once, on paper: a barrier that nothing would arrive at is never made. In an empty group that has callbacks, a message that
/// does nothing has them sent.
struct WorkflowPlan {
    struct Task {
        let message: Message
        /// Milliseconds.
        let delay: Int
        let frame: CompletionFrame?
    }

    /// What there is to do, the last entry first.
    private enum Step {
        case start(WorkflowPart, delay: Int, CompletionFrame?)
        case startEach(WorkflowParts, delay: Int, CompletionFrame)
    }

    private(set) var tasks: [Task] = []
    /// How many of the parts that were started completed at once, so that what is around them goes on.
    private(set) var completionCount = 0
    private var identities: MessageIdentities
    /// What is started.
    private let parts: WorkflowParts
    /// The run that it is part of, if that is tracked.
    private let run: String?
    /// The queue of what came before.
    private let earlierQueue: String?
    private var frames: [CompletionFrame] = []
    private var steps: [Step] = []
    private var makeCompletionID: () -> String

    /// Starts a part.
    ///
    /// - Parameters:
    ///   - part: what is started.
    ///   - origin: the stored content that it is a part of, if it is one.
    ///   - outer: the entries that it is started with.
    ///   - runID: the run that it is the whole of, if it is counted as one.
    ///   - earlierQueue: the queue of the task after which it is started; `nil` if there was none.
    ///   - identities: tells messages apart.
    ///   - makeCompletionID: names barriers.
    /// - Throws: ``WorkflowError/Code/invalidNode``, or `DecodeError` for a message.
    init(
        starting part: WorkflowPart,
        of origin: StoredOrigin? = nil,
        outer: [CompletionCallback] = [],
        inRun runID: String? = nil,
        after earlierQueue: String? = nil,
        identities: MessageIdentities,
        makeCompletionID: @escaping () -> String
    ) throws {
        self.init(
            WorkflowParts(part), ofRun: runID ?? Self.run(outer), after: earlierQueue, identities, makeCompletionID)
        var frame = outer.isEmpty ? nil : CompletionFrame(.outer(outer), parent: nil)
        if let runID {
            let run = CompletionFrame(.group, parent: frame, completionID: runID, parties: 1)
            frames.append(run)
            frame = run
        }
        try work(through: .start(part, delay: 0, frame), origin)
    }

    /// Starts parts side by side that count where they are started.
    ///
    /// - Parameters:
    ///   - nodes: what is started.
    ///   - outer: the entries that it is started with.
    ///   - earlierQueue: the queue of the task that they are started by.
    ///   - identities: tells messages apart.
    ///   - makeCompletionID: names barriers.
    /// - Throws: `ArgumentFailure` or `BrokerError` for a message that can't be sent.
    init(
        adding nodes: [WorkflowNode],
        to outer: [CompletionCallback],
        after earlierQueue: String,
        identities: MessageIdentities,
        makeCompletionID: @escaping () -> String
    ) throws {
        self.init(.nodes(nodes[...]), ofRun: Self.run(outer), after: earlierQueue, identities, makeCompletionID)
        try work(through: .startEach(parts, delay: 0, CompletionFrame(.outer(outer), parent: nil)), nil)
    }

    private init(
        _ parts: WorkflowParts,
        ofRun run: String?,
        after earlierQueue: String?,
        _ identities: MessageIdentities,
        _ makeCompletionID: @escaping () -> String
    ) {
        self.parts = parts
        self.run = run
        self.earlierQueue = earlierQueue
        self.identities = identities
        self.makeCompletionID = makeCompletionID
    }

    private static func run(_ outer: [CompletionCallback]) -> String? {
        outer.first.flatMap { $0.isRun ? $0.completionID : nil }
    }

    private mutating func work(through first: Step, _ origin: StoredOrigin?) throws {
        steps = [first]
        while let step = steps.popLast() { try take(step) }
        try setRests(origin)
    }

    /// The new barriers: those at which something arrives.
    var barriers: [CompletionFrame] { frames.filter { $0.parties > 0 } }
    /// How many tasks there are for each actor.
    var taskCounts: [RunStep.TaskCount] { RunStep.TaskCount.counts(tasks.lazy.map(\.message.taskActorName)) }
    /// The longest delay of a task, in milliseconds.
    var longestDelay: Int { tasks.reduce(0) { max($0, $1.delay) } }

    private mutating func take(_ step: Step) throws {
        switch step {
        case .start(.node(let node), let delay, let frame):
            start(node, delay, frame)
        case .start(.json(let value), let delay, let frame):
            try start(JSONNode(value), delay, frame)
        case .startEach(var parts, let delay, let frame):
            guard let first = parts.popFirst() else { return }
            steps.append(.startEach(parts, delay: delay, frame))
            steps.append(.start(first, delay: delay, frame))
        }
    }

    private mutating func start(_ node: WorkflowNode, _ delay: Int, _ frame: CompletionFrame?) {
        switch node.content {
        case .message(let message):
            add(message, delay, frame)
        case .withDelay(let child, let more):
            steps.append(.start(.node(child), delay: sum(delay, more.milliseconds), frame))
        case .chain(let children):
            startChain(.nodes(children[...]), delay, frame)
        case .group(let children):
            startGroup(.nodes(children[...]), delay, frame, node.traits)
        }
    }

    private mutating func start(_ node: JSONNode, _ delay: Int, _ frame: CompletionFrame?) throws {
        switch node {
        case .message(let message):
            add(message, delay, frame)
        case .withDelay(let child, let more):
            steps.append(.start(.json(child), delay: sum(delay, more), frame))
        case .chain(let children):
            startChain(.json(children), delay, frame)
        case .group(let children, let traits):
            startGroup(.json(children), delay, frame, traits)
        }
    }

    private mutating func add(_ message: Message, _ delay: Int, _ frame: CompletionFrame?) {
        frame?.delay(by: delay)
        frame?.taskCount += 1
        tasks.append(Task(message: identities.distinct(message), delay: delay, frame: frame))
    }

    private mutating func startChain(_ children: WorkflowParts, _ delay: Int, _ frame: CompletionFrame?) {
        var rest = children
        guard let first = rest.popFirst() else { return startNothing(delay, frame) }
        var frame = frame
        if !rest.isEmpty { frame = newFrame(.step(rest: rest), frame, parties: 1) }
        steps.append(.start(first, delay: delay, frame))
    }

    private mutating func startGroup(
        _ children: WorkflowParts,
        _ delay: Int,
        _ frame: CompletionFrame?,
        _ traits: GroupTraits?
    ) {
        let count = children.count
        // Nobody counts the failures in a workflow that is no run.
        let mark = run == nil ? nil : traits.map { GroupMark($0, count: count) }
        if count == 0 {
            guard mark?.number != nil else { return startNothing(delay, frame) }
            return addNothing(delay, newFrame(.group, frame, parties: 1, mark: mark?.text))
        }
        steps.append(.startEach(children, delay: delay, newFrame(.group, frame, parties: count, mark: mark?.text)))
    }

    /// Tells each step what comes after it: a part of what is stored already, or of what this plan makes.
    private mutating func setRests(_ origin: StoredOrigin?) throws {
        var steps: [(frame: CompletionFrame, rest: WorkflowParts)] = []
        for frame in frames where frame.parties > 0 {
            guard case .step(let rest) = frame.kind else { continue }
            if case .json(let children) = rest, let remaining = origin?.remaining(children) {
                frame.remaining = remaining
            } else {
                steps.append((frame, rest))
            }
        }
        if steps.isEmpty { return }
        let parts = Self.parts(steps.map(\.frame), of: frames)
        let rests = try rests(parts, steps.map(\.rest))
        for (part, step) in steps.enumerated() { step.frame.remaining = RemainingWorkflow(rests, part: part) }
    }

    private static func parts(_ steps: [CompletionFrame], of frames: [CompletionFrame]) -> [PlannedRests.Part] {
        let numbers = Dictionary(
            steps.enumerated().map { (ObjectIdentifier($0.element), $0.offset) },
            uniquingKeysWith: { first, _ in first })
        // Which step each frame lies in, itself included. A frame is made after those around it.
        var places: [ObjectIdentifier: Int] = [:]
        var counts = [Int](repeating: 0, count: steps.count)
        for frame in frames {
            let outer = frame.parent.flatMap { places[ObjectIdentifier($0)] }
            guard let place = numbers[ObjectIdentifier(frame)] ?? outer else { continue }
            places[ObjectIdentifier(frame)] = place
            counts[place] += frame.taskCount
        }
        return steps.enumerated().map { number, step in
            PlannedRests.Part(
                outer: step.parent.flatMap { places[ObjectIdentifier($0)] }, taskCount: counts[number])
        }
    }

    private mutating func rests(_ parts: [PlannedRests.Part], _ rests: [WorkflowParts]) throws -> PlannedRests {
        var arrays: [JSONArray] = []
        var content = ContentWriter()
        for rest in rests {
            switch rest {
            case .json(let children):
                arrays.append(children)
            case .nodes(let nodes):
                try content.add { writer in
                    try WorkflowNode.write(nodes, into: &writer) { identities.distinct($0) }
                }
            }
        }
        // They are all of one kind, which is that of what is started.
        if !arrays.isEmpty { return PlannedRests(parts, children: arrays, ofRun: run) }
        let (text, children) = content.finish(ofRun: run)
        return PlannedRests(parts, text: text, children: children)
    }

    private mutating func newFrame(
        _ kind: CompletionFrame.Kind,
        _ parent: CompletionFrame?,
        parties: Int,
        mark: String? = nil
    ) -> CompletionFrame {
        let id = makeCompletionID()
        let frame = CompletionFrame(
            kind, parent: parent, completionID: mark.map { id + $0 } ?? id, parties: parties)
        frames.append(frame)
        return frame
    }

    /// An empty chain or group: with a delay, a message that does nothing takes its place.
    private mutating func startNothing(_ delay: Int, _ frame: CompletionFrame?) {
        if delay > 0 { addNothing(delay, frame) } else { complete(frame) }
    }

    private mutating func addNothing(_ delay: Int, _ frame: CompletionFrame?) {
        var message = WorkflowMiddleware.noop.message()
        message.queueName = queueForNothing(frame) ?? message.queueName
        add(message, delay, frame)
    }

    /// A queue that is served where the workflow runs: that of what follows as far as it is at hand, or else of what came
    /// before, or of anything in the part.
    private func queueForNothing(_ frame: CompletionFrame?) -> String? {
        var frame = frame
        while let current = frame {
            switch current.kind {
            case .outer(let callbacks):
                for case let workflow? in callbacks.reversed().lazy.map({ $0.remaining?.value }) {
                    if let queue = WorkflowParts.json([workflow]).firstQueue { return queue }
                }
            case .step(let rest):
                if let queue = rest.firstQueue { return queue }
            case .group:
                break
            }
            frame = current.parent
        }
        return earlierQueue.map(QueueName.canonical) ?? parts.firstQueue
    }

    /// One who would have arrived is there already.
    private mutating func complete(_ frame: CompletionFrame?) {
        var frame = frame
        while let current = frame {
            switch current.kind {
            case .outer:
                completionCount += 1
                return
            case .group:
                current.parties -= 1
                if current.parties > 0 { return }
                if GroupMark(current.completionID)?.number != nil {
                    // Its callbacks are sent in the commit of its last task, so it has one.
                    current.parties = 1
                    return addNothing(0, current)
                }
            case .step(let rest):
                current.parties = 0
                return startChain(rest, 0, current.parent)
            }
            frame = current.parent
        }
        completionCount += 1
    }

    private func sum(_ left: Int, _ right: Int) -> Int {
        let (sum, overflow) = left.addingReportingOverflow(right)
        return overflow ? left > 0 ? .max : .min : sum
    }
}
