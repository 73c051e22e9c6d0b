import Dramatiq

/// What a script does and answers as one: a commit, or many that are alike, which saves both sides most of the work.
enum CommitStep: Sendable {
    /// A message that is acknowledged, and nothing besides.
    struct Acknowledgement: Sendable {
        /// The commit's place among those that are executed.
        let place: Int
        let message: TakenMessage
        var result: ResultCommit?

        /// Whether it can be done in one with another one.
        func isLike(_ other: Acknowledgement) -> Bool {
            message.taken == other.message.taken && (result == nil) == (other.result == nil)
        }
    }

    /// A message that is acknowledged with an arrival that releases nothing, for the first time.
    struct Arrival: Sendable {
        let place: Int
        let tag: CommitTag
        let message: TakenMessage
        let barrier: BarrierKey
        let party: String
        /// The run that counts the task, and under which actor.
        var run: (id: String, actorName: String)?
        var result: ResultCommit?

        /// Whether it can be recorded in one with another one.
        func isLike(_ other: Arrival) -> Bool {
            guard barrier == other.barrier, message.taken == other.message.taken,
                (result == nil) == (other.result == nil)
            else { return false }
            switch (run, other.run) {
            case (nil, nil): return true
            case (let run?, let other?):
                return run.id.hasSameBytes(as: other.id) && run.actorName.hasSameBytes(as: other.actorName)
            default: return false
            }
        }
    }

    /// Of messages that one worker has taken from one queue, all of which have a result, or none.
    case acknowledgements([Acknowledgement])
    /// Of messages that one worker has taken from one queue, at one barrier; all of them have a result, or none.
    case arrivals([Arrival])
    case commit(place: Int, RedisCommit)

    /// Bounds on what is done as one.
    private static let maxAcknowledgements = 500
    private static let maxArrivals = 250

    static func steps(_ acknowledgements: [Acknowledgement]) -> [CommitStep] {
        grouped(acknowledgements, maxAcknowledgements) { $0.isLike($1) }
            .map { .acknowledgements($0) }
    }

    static func steps(_ arrivals: [Arrival]) -> [CommitStep] {
        grouped(arrivals, maxArrivals) { $0.isLike($1) }
            .map { .arrivals($0) }
    }

    /// Elements with those that are like them. There are few groups: as many as a process has consumers and workflows
    /// under way.
    private static func grouped<Element>(
        _ elements: [Element],
        _ maximum: Int,
        by areAlike: (Element, Element) -> Bool
    ) -> [[Element]] {
        guard let first = elements.first else { return [] }
        if elements.count <= maximum, elements.allSatisfy({ areAlike($0, first) }) { return [elements] }
        var groups: [[Element]] = []
        for element in elements {
            if let place = groups.firstIndex(where: { $0.count < maximum && areAlike($0[0], element) }) {
                groups[place].append(element)
            } else {
                groups.append([element])
            }
        }
        return groups
    }

    /// Whether it adds to the server's memory rather than moving on what is there.
    var needsMemory: Bool {
        if case .commit(_, let commit) = self { commit.needsMemory } else { false }
    }

    /// How many commits bound a script; those that are alike hardly count.
    var commitCount: Int {
        if case .commit = self { 1 } else { 0 }
    }

    /// About how many bytes it has on the wire: an id takes 43, a tag or a party a little less.
    var size: Int {
        switch self {
        case .acknowledgements(let group): results.reduce(64 + 43 * group.count) { $0 + $1.size }
        case .arrivals(let group): results.reduce(256 + 102 * group.count) { $0 + $1.size }
        case .commit(_, let commit): commit.size
        }
    }

    /// The results of its messages, in their order; none if they have none.
    fileprivate var results: [ResultCommit] {
        switch self {
        case .acknowledgements(let group): group.first?.result == nil ? [] : group.compactMap(\.result)
        case .arrivals(let group): group.first?.result == nil ? [] : group.compactMap(\.result)
        case .commit(_, let commit): commit.result.map { [$0] } ?? []
        }
    }

    /// How many arguments of the script it is, without its results.
    fileprivate var argumentCount: Int {
        switch self {
        case .acknowledgements(let group): 3 + group.count
        case .arrivals(let group): (group.first?.run == nil ? 7 : 8) + 3 * group.count
        case .commit(_, let commit): commit.argumentCount
        }
    }

    /// The places of its commits.
    var places: [Int] {
        switch self {
        case .acknowledgements(let group): group.map(\.place)
        case .arrivals(let group): group.map(\.place)
        case .commit(let place, _): [place]
        }
    }

    /// Reads what the script answered.
    ///
    /// - Parameter body: gets the place and the result of each commit, and the tag under which the server remembers it
    ///   and need not any longer.
    func forEachResult(in reply: RESPValue, _ body: (Int, RedisCommit.Result, CommitTag?) -> Void) throws {
        switch self {
        case .commit(let place, let commit):
            let result = RedisCommit.Result(try reply.string())
            body(place, result, commit.isForgettable && result.isRecorded ? commit.tag : nil)
        case .acknowledgements(let group):
            let result = RedisCommit.Result(try reply.string())
            guard case .notHeld(let places) = result else {
                for acknowledgement in group { body(acknowledgement.place, result, nil) }
                return
            }
            let missing = Set(places)
            for (index, acknowledgement) in group.enumerated() {
                body(acknowledgement.place, missing.contains(index) ? .notHeld() : .committed, nil)
            }
        case .arrivals(let group):
            guard case .array(let texts) = reply else {
                // They all have the same.
                let result = RedisCommit.Result(try reply.string())
                for arrival in group { body(arrival.place, result, result.isRecorded ? arrival.tag : nil) }
                return
            }
            guard texts.count == group.count else {
                throw RedisError(
                    .unexpectedReply, "\(group.count) arrivals were answered with \(texts.count) results",
                    mayHaveTakenEffect: true)
            }
            for (arrival, text) in zip(group, texts) {
                let result = RedisCommit.Result(try text.string())
                body(arrival.place, result, result.isRecorded ? arrival.tag : nil)
            }
        }
    }
}

extension RedisCommand {
    /// Adds a step as the script reads it.
    mutating func append(_ step: CommitStep) {
        let results = step.results
        let count = step.argumentCount + (results.isEmpty ? 0 : KeptResults.argumentCount(results.count))
        append(count)
        let start = argumentCount
        // By its count the script finds the next step if this one is refused.
        defer { assert(argumentCount - start == count, "A step has \(argumentCount - start) arguments, not \(count)") }
        if !results.isEmpty { append(keeping: results) }
        switch step {
        case .acknowledgements(let group): append(acknowledging: group.lazy.map(\.message))
        case .arrivals(let group): append(arrivals: group)
        case .commit(_, let commit): append(commit)
        }
    }

    private mutating func append(arrivals: [CommitStep.Arrival]) {
        guard let first = arrivals.first else { return }
        append("h")
        append(first.message.taken)
        append(first.message.queueName)
        append(first.barrier)
        append(first.run?.id ?? "")
        if let run = first.run { append(run.actorName) }
        for arrival in arrivals {
            append(arrival.tag.text)
            append(arrival.message.id)
            append(arrival.party)
        }
    }
}
