/// Stops runs, and lets them go on: what a ``RunStore`` does on request, apart from what commits bring about.
///
/// A run that is stopped is noted in one place, from which workers learn of it a few times a second, so that a message of
/// any other run costs nothing. Each tells which change it knows, so that who stops a run can wait for all of them.
public protocol RunControl: Sendable {
    /// Changes a run's state, if it can be changed so.
    ///
    /// - Parameters:
    ///   - id: the run's id.
    ///   - transition: how.
    ///   - index: what the keys of the lists of runs begin with.
    /// - Returns: what has become of it; `nil` if nothing is known of the run, or it belongs to other lists, so that its workers
    ///   would not hear of the change.
    /// - Throws: if the store can't be reached or refuses.
    func change(_ id: String, _ transition: RunTransition, index: String) async throws -> RunChange?

    /// Which runs are stopped, as a worker asks for.
    ///
    /// - Parameters:
    ///   - version: the latest that the worker keeps to; `nil` if it begins.
    ///   - worker: who asks.
    ///   - announces: whether it is noted which version the worker keeps to. One that begins keeps to what it is told.
    ///   - index: what the keys of the lists of runs begin with.
    /// - Throws: if the store can't be reached or refuses.
    func stoppedRuns(
        since version: Int?, worker: String, announces: Bool, index: String
    ) async throws -> StoppedRuns

    /// A worker asks no more.
    ///
    /// - Throws: if the store can't be reached or refuses.
    func forget(worker: String, index: String) async throws

    /// Which version the workers keep to that were heard within ``RunLimits/workerPatience``.
    ///
    /// - Throws: if the store can't be reached or refuses.
    func versions(index: String) async throws -> [String: Int]

    /// Puts a message aside whose run is paused or has failed. The same one again changes nothing.
    ///
    /// If the message is one with which the run has failed, somebody has requeued it: the run goes on.
    ///
    /// - Throws: if the store can't be reached or refuses.
    func hold(_ message: HeldMessage, of id: String, index: String) async throws -> HoldOutcome

    /// Some of the messages of a run that were put aside.
    ///
    /// - Parameters:
    ///   - id: the run's id.
    ///   - limit: about how many.
    /// - Returns: none only if there are none.
    /// - Throws: if the store can't be reached or refuses.
    func heldMessages(of id: String, limit: Int) async throws -> [HeldMessage]

    /// What is sent when a run, or a group of it, ends; nothing if nothing is known of it.
    ///
    /// - Parameters:
    ///   - id: the run's id.
    ///   - group: the group's number; `nil` for the run.
    /// - Throws: if the store can't be reached or refuses.
    func callbacks(of id: String, group: Int?) async throws -> RunCallbacks

    /// How many members of a group have failed.
    ///
    /// - Parameters:
    ///   - barrier: the group's.
    ///   - party: one that counts as failed, whether it is noted already or not.
    /// - Throws: if the store can't be reached or refuses.
    func failedMembers(at barrier: String, with party: String?) async throws -> FailedMembers

    /// Takes back that groups have lost members because of these tasks, which run again: the members count as not having come
    /// yet, also in groups that have failed by that.
    ///
    /// - Parameters:
    ///   - messageIDs: the tasks. Those that are no failures of the run change nothing.
    ///   - id: the run.
    /// - Throws: if the store can't be reached or refuses.
    func takeBackFailures(of messageIDs: [String], in id: String) async throws

    /// The tasks of a run that have failed and were not requeued with success since.
    ///
    /// - Parameters:
    ///   - id: the run's id.
    ///   - position: where to go on: what this has returned.
    ///   - limit: about how many.
    /// - Returns: some of them, and where to go on; `nil` if there are no more. What fails meanwhile may be missing.
    /// - Throws: if the store can't be reached or refuses.
    func failures(
        of id: String, from position: String?, limit: Int
    ) async throws -> (failures: [RunStatus.Failure], next: String?)
}

/// How many members of a group have failed.
public struct FailedMembers: Sendable, Hashable {
    public let count: Int
    /// How many members the group has besides those of its definition.
    public let added: Int

    public init(count: Int, added: Int) {
        self.count = count
        self.added = added
    }
}

/// How a run's state is changed on request.
///
/// There will be no other without a change of what runs are.
public enum RunTransition: String, Sendable, Hashable {
    /// From ``RunState/running`` to ``RunState/paused``.
    case pause
    /// Back.
    case resume
    /// From ``RunState/failed`` to ``RunState/running``.
    case retry
    /// From any state but ``RunState/succeeded`` to ``RunState/cancelled``. What was put aside is dropped and counts as
    /// skipped.
    case cancel

    /// Whether a run in a state can be changed so.
    package func isPossible(from state: RunState) -> Bool {
        switch self {
        case .pause: state == .running
        case .resume: state == .paused
        case .retry: state == .failed
        case .cancel: state == .running || state == .paused || state == .failed
        }
    }

    /// The state that it leads to.
    package var target: RunState {
        switch self {
        case .pause: .paused
        case .resume, .retry: .running
        case .cancel: .cancelled
        }
    }
}

/// What became of a message that was to be put aside.
///
/// There will be no other: each is something that workers must be able to do.
public enum HoldOutcome: String, Sendable, Hashable {
    /// It was put aside.
    case held
    /// The run goes on, so the message can be processed.
    case running
    /// The run goes on by this very message. What else was put aside has to be returned.
    case revived
    /// The run has ended, so that nobody will ask for the message.
    case ended
    /// Nothing is known of the run any more.
    case unknown
}

/// What has become of a run whose state was to be changed.
public struct RunChange: Sendable, Hashable {
    /// Its state now.
    public let state: RunState
    /// The version of ``StoppedRuns`` from which on workers know.
    public let version: Int

    public init(state: RunState, version: Int) {
        self.state = state
        self.version = version
    }
}

/// The runs of which nothing may start.
public struct StoppedRuns: Sendable, Hashable {
    /// Larger after each change.
    public let version: Int
    /// Their states by their ids; `nil` if there was no change.
    public let states: [String: RunState]?

    public init(version: Int, states: [String: RunState]?) {
        self.version = version
        self.states = states
    }
}

/// A message that was put aside, since its run is paused or has failed.
public struct HeldMessage: Sendable {
    /// Which one.
    public let messageID: String
    /// The actor that it counts for.
    public let actorName: String
    /// The queue that it was taken from.
    public let queueName: String
    public let payload: Delivery.Payload
    /// Since when, in milliseconds since 1970.
    public let since: Int

    public init(messageID: String, actorName: String, queueName: String, payload: Delivery.Payload, since: Int) {
        self.messageID = messageID
        self.actorName = actorName
        self.queueName = queueName
        self.payload = payload
        self.since = since
    }
}
