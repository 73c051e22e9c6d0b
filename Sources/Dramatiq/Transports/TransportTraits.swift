/// What a transport can do, and how it wants to be used. The defaults suit one that does as little as possible.
public struct TransportTraits: Sendable, Hashable {
    /// The most commits that it is given at a time. Defaults to 1.
    public var maxBatch: Int
    /// How many batches it is given before the first of them is answered. Defaults to 1.
    public var maxBatchesUnderWay: Int
    /// Whether ``Transport/commitNow(_:)`` and ``TransportConsumer/takeNow()`` do their work: processors then look for
    /// messages themselves. Defaults to `false`.
    public var isImmediate: Bool
    /// For how long sending is repeated while a ``TransientError`` says that there is an outage. Defaults to not at all.
    public var sendPatience: Duration
    /// How many messages of a delay queue a worker may hold until they are due. Defaults to a thousand, as in dramatiq.
    public var delayedPrefetch: Int
    /// For how long a dead letter can be requeued: what its workflow needs is kept for as long. Defaults to seven days, as
    /// in dramatiq.
    public var deadLetterTTL: Duration
    /// What the keys of barriers begin with, so that they lie where this transport can commit them with its messages.
    /// Defaults to nothing.
    public var barrierKeyPrefix: String
    /// What all its keys begin with, for others that keep something beside it. Defaults to nothing.
    public var namespace: String
    /// Whether it tells deliveries that came back from those that are new. Defaults to `false`.
    public var knowsRedelivery: Bool
    /// Whether it counts the workers that are lost over a message, so that it wants to hear when one that was redelivered
    /// begins: ``TransportConsumer/note(_:isUnderWay:)``. Defaults to `false`.
    public var countsCrashes: Bool
    /// Whether ``Transport/commit(_:)-([Commit])`` goes on although its task is cancelled. A commit that comes alone is
    /// then executed in the task that makes it, and not in one of its own. Defaults to `false`.
    public var commitsIgnoreCancellation: Bool
    /// Whether messages with a larger `broker_priority` are delivered first. Defaults to `false`.
    public var knowsPriorities: Bool

    public init(
        maxBatch: Int = 1,
        maxBatchesUnderWay: Int = 1,
        isImmediate: Bool = false,
        sendPatience: Duration = .zero,
        delayedPrefetch: Int = 1000,
        deadLetterTTL: Duration = .seconds(7 * 86_400),
        barrierKeyPrefix: String = "",
        namespace: String = "",
        knowsRedelivery: Bool = false,
        countsCrashes: Bool = false,
        commitsIgnoreCancellation: Bool = false,
        knowsPriorities: Bool = false
    ) {
        self.maxBatch = max(1, maxBatch)
        self.maxBatchesUnderWay = max(1, maxBatchesUnderWay)
        self.isImmediate = isImmediate
        self.sendPatience = sendPatience
        self.delayedPrefetch = delayedPrefetch
        self.deadLetterTTL = deadLetterTTL
        self.barrierKeyPrefix = barrierKeyPrefix
        self.namespace = namespace
        self.knowsRedelivery = knowsRedelivery
        self.countsCrashes = countsCrashes
        self.commitsIgnoreCancellation = commitsIgnoreCancellation
        self.knowsPriorities = knowsPriorities
    }
}
