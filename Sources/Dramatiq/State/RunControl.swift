/// Stops runs, and lets them go on: what a ``RunStore`` does on request, apart from what commits bring about.
///
/// A run that is stopped is noted in one place, from which workers learn of it a few times a second, so that a message of
/// any other run costs nothing. Each tells which change it knows, so that who stops a run can wait for all of them.
public protocol RunControl: Sendable {
    /// Pauses a run, lets it go on or cancels it.
    ///
    /// One that is under way can be paused and cancelled, one that is paused can go on and be cancelled. Otherwise nothing
    /// changes. What was put aside of a run that is cancelled is dropped and counts as skipped.
    ///
    /// - Parameters:
    ///   - state: ``RunState/paused``, ``RunState/running`` or ``RunState/cancelled``.
    ///   - index: what the keys of the lists of runs begin with.
    /// - Returns: what has become of it; `nil` if nothing is known of the run.
    /// - Throws: if the store can't be reached or refuses.
    func change(_ id: String, to state: RunState, index: String) async throws -> RunChange?

    /// Which runs are stopped, as a worker asks for.
    ///
    /// - Parameters:
    ///   - version: the latest that the worker keeps to; `nil` if it begins.
    ///   - worker: who asks.
    ///   - announces: whether it is noted which version the worker keeps to. One that begins keeps to what it is told.
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

    /// Puts a message aside whose run is paused. The same one again changes nothing.
    ///
    /// - Returns: whether it was; `false` if the run is not paused, or not any more.
    /// - Throws: if the store can't be reached or refuses.
    func hold(_ message: HeldMessage, of id: String, index: String) async throws -> Bool

    /// Some of the messages of a run that were put aside.
    ///
    /// - Parameter limit: about how many.
    /// - Returns: none only if there are none.
    /// - Throws: if the store can't be reached or refuses.
    func heldMessages(of id: String, limit: Int) async throws -> [HeldMessage]
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

/// A message that was put aside, since its run is paused.
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
