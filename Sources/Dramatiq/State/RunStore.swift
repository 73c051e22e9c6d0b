/// What is kept of runs by a ``StateStore`` that does what ``StateCommit/run`` says, in the same step as the rest.
public protocol RunStore: RunControl {
    /// What is known of a run.
    ///
    /// - Parameters:
    ///   - id: the run's id.
    ///   - index: what the keys of the lists of runs begin with.
    ///   - limit: how many open barriers and how many failures are listed.
    /// - Returns: `nil` if nothing is: there was no such run, it was not tracked, or the time for which it was kept is over.
    /// - Throws: if the store can't be reached or refuses.
    func run(_ id: String, index: String, limit: Int) async throws -> RunStatus?

    /// Lists runs, the latest first.
    ///
    /// It takes time for those that are listed, and for those that are looked at and passed over where several conditions
    /// are given; never for all that there are.
    ///
    /// - Throws: if the store can't be reached or refuses.
    func runs(_ query: RunQuery) async throws -> RunPage

    /// Whether nothing of a run is to come any more: it has succeeded or was cancelled, also if that is all that is known of
    /// it. Defaults to what ``run(_:index:limit:)`` says.
    ///
    /// - Throws: if the store can't be reached or refuses.
    func isOver(_ id: String) async throws -> Bool

    /// What is kept elsewhere for runs that need it no more, for the caller to remove: it is handed out once. What the store
    /// itself has of them it removes.
    ///
    /// A run needs it no more if it has succeeded; or if it was cancelled, nothing of it is in a queue or being processed, and
    /// none of its tasks is among the dead letters. Defaults to nothing, for a store that takes no note of
    /// ``RunStep/stored``.
    ///
    /// - Throws: if the store can't be reached or refuses.
    func takeContents(of ids: [String]) async throws -> [String]
}

extension RunStore {
    public func isOver(_ id: String) async throws -> Bool {
        guard let state = try await run(id, index: "", limit: 0)?.run.state else { return false }
        return state == .succeeded || state == .cancelled
    }

    public func takeContents(of ids: [String]) async throws -> [String] { [] }
}

/// Which runs to list.
public struct RunQuery: Sendable, Hashable {
    /// What the keys of the lists begin with.
    public var index: String
    public var state: RunState?
    public var name: String?
    /// All of them.
    public var labels: [String: String]
    /// How many are passed over: ``RunPage/nextOffset``.
    public var offset: Int
    /// How many are looked at.
    public var limit: Int

    public init(
        index: String,
        state: RunState? = nil,
        name: String? = nil,
        labels: [String: String] = [:],
        offset: Int = 0,
        limit: Int = 5000
    ) {
        self.index = index
        self.state = state
        self.name = name
        self.labels = labels
        self.offset = max(0, offset)
        self.limit = max(1, limit)
    }

    /// Whether a run is one of them.
    package func includes(_ run: RunSummary) -> Bool {
        if let state, run.state != state { return false }
        if let name, !run.name.hasSameBytes(as: name) { return false }
        return labels.allSatisfy { key, value in run.labels[key]?.hasSameBytes(as: value) ?? false }
    }
}

/// Some of the runs that were asked for.
public struct RunPage: Sendable, Hashable {
    public let runs: [RunSummary]
    /// Where the next page begins; `nil` if there is none.
    public let nextOffset: Int?

    public init(runs: [RunSummary], nextOffset: Int?) {
        self.runs = runs
        self.nextOffset = nextOffset
    }
}

/// Bounds on what is kept of a run.
public enum RunLimits {
    /// How many actors are counted apart: 100.
    public static let maxActors = 100
    /// The longest name of a run, of a label and of a label's value, in bytes of UTF-8: 200.
    public static let maxNameLength = 200
    /// How many labels a run has at most: 20.
    public static let maxLabels = 20
    /// How much of what is stored for a run is noted, so that it can be removed when the run has ended: 1000 contents, each
    /// with a name of at most 1024 bytes of UTF-8.
    public static let maxContents = 1000
    /// The longest shape of a definition that is kept with a run, in bytes of UTF-8: 4096.
    public static let maxOutlineSize = 4096
    /// The longest that is kept of one that has succeeded or was cancelled: 64, which is what Redis keeps without a table.
    public static let maxEndedOutlineSize = 64
    /// For how long a worker that says nothing is waited for when a run is stopped: 15 seconds.
    public static let workerPatience = Duration.seconds(15)
    /// What no name and no label has, so that stores can write several of them one after the other: U+001F.
    package static let separator = UInt8(ascii: "\u{1F}")
    package static let maxContentNameLength = 1024
    /// How much of the reason of a failure is kept, in bytes of UTF-8: 500.
    package static let maxReasonLength = 500
}
