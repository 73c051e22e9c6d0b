/// What a commit means for a run: a workflow that was started and is counted as it goes on.
///
/// A run's id is the key of a barrier of one party, at which everything that the run consists of arrives at last; whoever
/// releases that barrier ends the run, in the same step. What is known of it besides is kept beside the barrier for as
/// long: a ``RunStatus``. A step for a run that nobody keeps does nothing.
public struct RunStep: Sendable {
    /// A run that begins.
    public struct Beginning: Sendable {
        /// What it is called; empty if it has no name.
        public var name: String
        /// What it can be found by besides.
        public var labels: [String: String]
        /// How many tasks its definition has.
        public var tasks: [TaskCount]
        /// For how long it is kept once it has ended. One that has failed is kept for as long as its barrier, if that is
        /// longer.
        public var retention: Duration
        /// How many runs that have ended are kept when this one is one of them; the earliest go first.
        public var maxEnded: Int
        /// What is sent when it ends.
        public var callbacks: RunCallbacks
        /// What is sent when its groups end, by their numbers.
        public var groupCallbacks: [RunCallbacks]
        /// The shape of its definition, in the words of whoever began it; empty if nothing is to be kept of that. No more than
        /// ``RunLimits/maxOutlineSize``.
        public var outline: String

        public init(
            name: String,
            labels: [String: String],
            tasks: [TaskCount],
            retention: Duration,
            maxEnded: Int,
            callbacks: RunCallbacks = RunCallbacks(),
            groupCallbacks: [RunCallbacks] = [],
            outline: String = ""
        ) {
            self.name = name
            self.labels = labels
            self.tasks = tasks
            self.retention = retention
            self.maxEnded = maxEnded
            self.callbacks = callbacks
            self.groupCallbacks = groupCallbacks
            self.outline = outline
        }
    }

    /// A number of tasks for one actor.
    public struct TaskCount: Sendable, Hashable {
        public var actorName: String
        public var count: Int

        public init(actorName: String, count: Int) {
            self.actorName = actorName
            self.count = count
        }

        /// How often each name occurs, in the order in which they do first.
        package static func counts(_ actorNames: some Sequence<String>) -> [TaskCount] {
            var counts: [TaskCount] = []
            var places: [TextKey: Int] = [:]
            for name in actorNames {
                if let last = counts.indices.last, counts[last].actorName.hasSameBytes(as: name) {
                    counts[last].count += 1
                } else if let place = places[TextKey(name)] {
                    counts[place].count += 1
                } else {
                    places[TextKey(name)] = counts.count
                    counts.append(TaskCount(actorName: name, count: 1))
                }
            }
            return counts
        }
    }

    /// A task that ends with the commit.
    public struct TaskEnd: Sendable, Hashable {
        /// How.
        public enum Outcome: Sendable, Hashable {
            case succeeded
            case failed
            case skipped
        }

        public var actorName: String
        public var messageID: String
        public var outcome: Outcome
        /// Why it failed or was skipped, for a person to read; empty otherwise.
        public var reason: String
        /// How often it was tried again.
        public var retries: Int
        /// The queue that it was taken from.
        public var queueName: String
        /// The id of the dead letter that it becomes, if the transport gives its messages ids of its own.
        public var deadLetterID: String?
        /// Whether the whole run has failed with it.
        public var failsRun: Bool
        /// The keys of the barriers of groups around the task that count what has failed in them, the outermost first.
        public var groups: [String] = []

        public init(
            actorName: String,
            messageID: String,
            outcome: Outcome,
            reason: String = "",
            retries: Int = 0,
            queueName: String = "",
            deadLetterID: String? = nil,
            failsRun: Bool = false
        ) {
            self.actorName = actorName
            self.messageID = messageID
            self.outcome = outcome
            self.reason = reason
            self.retries = retries
            self.queueName = queueName
            self.deadLetterID = deadLetterID
            self.failsRun = failsRun
        }
    }

    /// What a failure means for a group that goes on without some of its members.
    ///
    /// Its barrier's key ends with ``BarrierKey/groupSuffix``. The store keeps beside it which members have failed, for as long
    /// as the barrier is there.
    public struct GroupFailure: Sendable, Hashable {
        /// A member that has failed.
        public struct Member: Sendable, Hashable {
            /// Who counts at the group's barrier: the task itself, or else the key of the outermost barrier inside of the group
            /// that the task counts at. That barrier counts on, and doesn't open any more.
            public var party: String
            /// Because of whom: the message, or the barrier of a group inside that has failed. Several can be of one party, which
            /// arrives with the first of them.
            public var cause: String

            public init(party: String, cause: String) {
                self.party = party
                self.cause = cause
            }
        }

        public var barrier: BarrierKey
        /// The member that has failed with this; `nil` if the last one to come has succeeded.
        public var member: Member?
        /// The message whose end decides what it means that all members have come, in the same step; `nil` as long as it is
        /// not known that they have. Steps with which they have come come to ``StateCommit/Result/opened`` then, and nothing is
        /// done.
        public var decider: String?

        public init(barrier: BarrierKey, member: Member?, decider: String? = nil) {
            self.barrier = barrier
            self.member = member
            self.decider = decider
        }
    }

    /// Something that is kept for a run alone, for as long as something of it may need it.
    public struct Content: Sendable, Hashable {
        /// What it is called where it is kept.
        public var name: String
        /// Whether the name is a key in the place of the store itself, which removes it in the step in which the run succeeds.
        /// What is kept elsewhere is handed out by ``RunStore/takeContents(of:)``.
        public var isKey: Bool

        public init(name: String, isKey: Bool = false) {
            self.name = name
            self.isKey = isKey
        }

        public static func == (left: Content, right: Content) -> Bool {
            left.isKey == right.isKey && left.name.hasSameBytes(as: right.name)
        }

        public func hash(into hasher: inout Hasher) { name.hashBytes(into: &hasher) }
    }

    /// What the ids of runs end with, which tells them from other barriers.
    public static let idSuffix = ":run"

    public var id: String
    /// What the keys of the lists of runs begin with. It has to be there if the run begins, ends or fails.
    public var index: String
    /// The run begins; nothing of it is there yet.
    public var beginning: Beginning?
    /// Tasks that are sent. They count if the steps are committed.
    public var sent: [TaskCount]
    /// Tasks that the run has besides those of its definition, because of the task that ends. They count if the steps are
    /// committed.
    public var added: [TaskCount] = []
    /// The task that ends. It counts with the end of its delivery.
    public var ended: TaskEnd?
    /// Messages that were put aside and go back to their queues with the commit's successors. Unless all of them are
    /// still there and the run is under way, nothing is done: the steps come to ``StateCommit/Result/alreadyReleased``.
    public var returned: [HeldMessage]
    /// What was stored for what is sent, and for this run alone. It is noted if the steps are committed; see
    /// ``RunLimits/maxContents``.
    public var stored: [Content] = []
    /// What the end of the task means for groups around it, the innermost first; each but the last is decided. They are noted
    /// if the steps are committed, unless the group's barrier is released in them. If a barrier is released already, or somebody
    /// else has decided, the steps come to ``StateCommit/Result/alreadyReleased``, and only the task's end is noted.
    public var groupFailures: [GroupFailure] = []
    /// Whether the run is cancelled with the steps. If it is not under way, they come to ``StateCommit/Result/alreadyReleased``,
    /// and nothing is done.
    public var cancels = false
    /// Whether the steps may end the run although it has callbacks: they are sent as the commit's successors. Otherwise steps
    /// that would end such a run come to ``StateCommit/Result/opened``, and nothing is done. If somebody else has ended it
    /// meanwhile, they come to ``StateCommit/Result/alreadyReleased``, and only the task's end is noted.
    public var decides = false

    public init(
        id: String,
        index: String = "",
        beginning: Beginning? = nil,
        sent: [TaskCount] = [],
        ended: TaskEnd? = nil,
        returned: [HeldMessage] = []
    ) {
        self.id = id
        self.index = index
        self.beginning = beginning
        self.sent = sent
        self.ended = ended
        self.returned = returned
    }

    /// Whether a message is a task that is done, and nothing else is counted.
    func isPlainSuccess(of messageID: String) -> Bool {
        guard beginning == nil, sent.isEmpty, added.isEmpty, returned.isEmpty, stored.isEmpty, groupFailures.isEmpty,
            !cancels, let ended, ended.outcome == .succeeded, !ended.failsRun
        else { return false }
        return ended.messageID.hasSameBytes(as: messageID)
    }
}
