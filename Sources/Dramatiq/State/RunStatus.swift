#if canImport(FoundationEssentials)
    public import FoundationEssentials
#else
    public import Foundation
#endif

/// What has become of a run.
public struct RunState: Sendable, Hashable, CustomStringConvertible {
    /// As it is kept and shown.
    public let name: String

    /// Something of it is still to come.
    public static let running = RunState("running")
    /// Nothing of it starts until it is resumed.
    public static let paused = RunState("paused")
    /// All of it is done.
    public static let succeeded = RunState("succeeded")
    /// One of its tasks has failed for good, and nothing of it starts until that is tried again.
    public static let failed = RunState("failed")
    /// Somebody has ended it. What had begun by then may have gone on to its end.
    public static let cancelled = RunState("cancelled")

    /// A state of a later version is kept as it is.
    public init(_ name: String) {
        self.name = name
    }

    public static func == (left: RunState, right: RunState) -> Bool { left.name.hasSameBytes(as: right.name) }
    public func hash(into hasher: inout Hasher) { name.hashBytes(into: &hasher) }

    /// Whether nothing of the run is to come any more.
    public var isEnded: Bool { self != .running && self != .paused }

    public var description: String { name }
}

/// How many of a run's tasks have come how far.
///
/// Tasks that Python's workers run or send are not counted by them: what they did is known from the barriers alone.
public struct RunTaskCounts: Sendable, Hashable {
    /// How many there are in the definition.
    public var total: Int
    /// How many were sent.
    public var sent: Int
    public var succeeded: Int
    /// How many have failed for good and were not requeued with success.
    public var failed: Int
    /// How many were left out, or dropped since the run was cancelled.
    public var skipped: Int
    /// How many were put aside, since the run is paused or has failed.
    public var held: Int

    public init(
        total: Int = 0,
        sent: Int = 0,
        succeeded: Int = 0,
        failed: Int = 0,
        skipped: Int = 0,
        held: Int = 0
    ) {
        self.total = total
        self.sent = sent
        self.succeeded = succeeded
        self.failed = failed
        self.skipped = skipped
        self.held = held
    }

    /// How many wait for others of the run.
    public var waiting: Int { max(0, total - sent) }
    /// How many are in a queue, delayed, or being processed.
    public var inFlight: Int { max(0, sent - succeeded - failed - skipped - held) }

    package static func + (left: RunTaskCounts, right: RunTaskCounts) -> RunTaskCounts {
        RunTaskCounts(
            total: left.total + right.total, sent: left.sent + right.sent,
            succeeded: left.succeeded + right.succeeded, failed: left.failed + right.failed,
            skipped: left.skipped + right.skipped, held: left.held + right.held)
    }
}

/// A run as lists show it.
public struct RunSummary: Sendable, Hashable {
    public let id: String
    /// Empty if it has no name.
    public let name: String
    public let labels: [String: String]
    public let state: RunState
    public let started: Date
    /// `nil` while it is under way.
    public let ended: Date?
    /// How many tasks its definition has.
    public let taskCount: Int

    public init(
        id: String,
        name: String,
        labels: [String: String],
        state: RunState,
        started: Date,
        ended: Date?,
        taskCount: Int
    ) {
        self.id = id
        self.name = name
        self.labels = labels
        self.state = state
        self.started = started
        self.ended = ended
        self.taskCount = taskCount
    }
}

/// What is kept of a run.
public struct RunStatus: Sendable, Hashable {
    /// A group's barrier at which somebody is still to arrive. The steps of chains, which wait for one task, are not among
    /// them: they are the tasks in flight.
    public struct OpenBarrier: Sendable, Hashable {
        public let key: String
        /// How many are still to arrive.
        public let missing: Int

        public init(key: String, missing: Int) {
            self.key = key
            self.missing = missing
        }
    }

    /// A task that has failed for good, or was skipped.
    public struct Failure: Sendable, Hashable {
        public let messageID: String
        public let actorName: String
        /// Why, for a person to read.
        public let reason: String
        /// Which attempt it was, the first one being 1.
        public let attempt: Int
        /// The queue whose dead letter it is; empty if that is not known.
        public let queueName: String
        /// The id of the dead letter, if the transport gives its messages ids of its own.
        public let deadLetterID: String?
        /// ``RunStep/TaskEnd/groups``.
        public let groups: [String]

        public init(
            messageID: String,
            actorName: String,
            reason: String,
            attempt: Int,
            queueName: String = "",
            deadLetterID: String? = nil,
            groups: [String] = []
        ) {
            self.messageID = messageID
            self.actorName = actorName
            self.reason = reason
            self.attempt = attempt
            self.queueName = queueName
            self.deadLetterID = deadLetterID
            self.groups = groups
        }
    }

    public let run: RunSummary
    /// By the names of the definition's actors. Under the empty name is what is beyond ``RunLimits/maxActors`` and what
    /// takes the place of empty parts.
    public let tasks: [String: RunTaskCounts]
    /// Some of the barriers that are open, as many as were asked for.
    public let openBarriers: [OpenBarrier]
    public let openBarrierCount: Int
    /// Some of the tasks that have failed, as many as were asked for.
    public let failures: [Failure]
    public let failureCount: Int
    /// The shape of its definition, as ``RunStep/Beginning/outline`` had it; empty if there was none, or it is not kept any
    /// more.
    public let outline: String

    public init(
        run: RunSummary,
        tasks: [String: RunTaskCounts],
        openBarriers: [OpenBarrier],
        openBarrierCount: Int,
        failures: [Failure],
        failureCount: Int,
        outline: String = ""
    ) {
        self.run = run
        self.tasks = tasks
        self.openBarriers = openBarriers
        self.openBarrierCount = openBarrierCount
        self.failures = failures
        self.failureCount = failureCount
        self.outline = outline
    }

    /// The tasks of all actors.
    public var total: RunTaskCounts { tasks.values.reduce(RunTaskCounts(), +) }
}
