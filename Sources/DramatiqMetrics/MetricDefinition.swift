/// A figure as it is known to metrics systems: its name, its labels and what it tells.
///
/// Those of ``dramatiq`` are named and labelled as those of Python's dramatiq, so that dashboards and alerts that were made
/// for that serve both. ``own`` are those that only this package has.
public struct MetricDefinition: Sendable, Hashable {
    /// What kind of figure it is, by what becomes of it.
    public enum Kind: Sendable, Hashable {
        /// Only grows.
        case counter
        /// Goes up and down.
        case gauge
        /// Values of which it counts how many are how large.
        case histogram
    }

    public let name: String
    public let kind: Kind
    /// The names of its labels, in their order.
    public let labels: [String]
    /// What it tells, in a sentence.
    public let help: String
    /// The upper bounds that a histogram is best counted in; the last one, which is infinite, left out. Empty for all
    /// others.
    public let buckets: [Double]

    init(_ kind: Kind, _ name: String, _ labels: [String], _ help: String, buckets: [Double] = []) {
        self.name = name
        self.kind = kind
        self.labels = labels
        self.help = help
        self.buckets = buckets
    }

    static let queueAndActor = ["queue_name", "actor_name"]

    /// dramatiq's bounds of durations, in milliseconds.
    private static let durations: [Double] = [
        5, 10, 25, 50, 75, 100, 250, 500, 750, 1000, 2500, 5000, 7500, 10_000, 30_000, 60_000, 600_000, 900_000,
    ]
    /// Finer at the lower end, for what takes a part of a millisecond.
    private static let latencies: [Double] = [0.1, 0.25, 0.5, 1, 2.5] + durations
}

extension MetricDefinition {
    // MARK: dramatiq's

    static let messages = MetricDefinition(
        .counter, "dramatiq_messages_total", queueAndActor,
        "Messages that were processed: their actors ran, or were left out.")
    static let errors = MetricDefinition(
        .counter, "dramatiq_message_errors_total", queueAndActor, "Messages whose actors threw.")
    static let retries = MetricDefinition(
        .counter, "dramatiq_message_retries_total", queueAndActor, "Messages that were sent to be tried again.")
    static let rejects = MetricDefinition(
        .counter, "dramatiq_message_rejects_total", queueAndActor, "Messages that became dead letters.")
    static let inProgress = MetricDefinition(
        .gauge, "dramatiq_messages_inprogress", queueAndActor, "Messages whose actors run.")
    static let delayedInProgress = MetricDefinition(
        .gauge, "dramatiq_delayed_messages_inprogress", queueAndActor,
        "Delayed messages that workers hold until they are due.")
    static let duration = MetricDefinition(
        .histogram, "dramatiq_message_duration_milliseconds", queueAndActor, "How long messages were processed.",
        buckets: durations)

    /// The figures of Python's dramatiq.
    public static let dramatiq = [messages, errors, retries, rejects, inProgress, delayedInProgress, duration]

    // MARK: Ours

    static let skips = MetricDefinition(
        .counter, "swift_dramatiq_skips_total", queueAndActor, "Messages whose actors were left out.")
    static let redeliveries = MetricDefinition(
        .counter, "swift_dramatiq_redeliveries_total", queueAndActor,
        "Messages that were processed after they had been delivered before.")
    static let deadLetters = MetricDefinition(
        .counter, "swift_dramatiq_dead_letters_total", queueAndActor + ["reason"],
        "Messages that became dead letters, by the kind of failure.")
    static let hops = MetricDefinition(
        .histogram, "swift_dramatiq_hop_milliseconds", queueAndActor,
        "The time from when a workflow sent a task to when it began.", buckets: latencies)
    static let settlements = MetricDefinition(
        .histogram, "swift_dramatiq_settlement_milliseconds", [],
        "The time that a batch of commits took to be answered by the server.", buckets: latencies)
    static let barriersCreated = MetricDefinition(
        .counter, "swift_dramatiq_barriers_created_total", [], "Barriers of workflows that were made.")
    static let barriersReleased = MetricDefinition(
        .counter, "swift_dramatiq_barriers_released_total", [], "Barriers that were released when all had arrived.")
    static let barriersLost = MetricDefinition(
        .counter, "swift_dramatiq_barriers_lost_total", [],
        "Messages that became dead letters because a barrier was not there any more.")
    static let queueMessages = MetricDefinition(
        .gauge, "swift_dramatiq_queue_messages", ["queue_name", "state"],
        "Messages in a queue that are waiting, in_flight, delayed or dead.")
    static let queueAge = MetricDefinition(
        .gauge, "swift_dramatiq_queue_age_milliseconds", ["queue_name"],
        "The time since the message that is next was made or tried; 0 if none waits.")
    static let cacheHits = MetricDefinition(
        .counter, "swift_dramatiq_cache_hits_total", [], "Stored workflows that were still in memory.")
    static let cacheMisses = MetricDefinition(
        .counter, "swift_dramatiq_cache_misses_total", [], "Stored workflows that had to be loaded.")

    static let encoderBytes = MetricDefinition(
        .counter, "swift_dramatiq_encoder_bytes_total", ["encoder", "direction"],
        "Bytes of messages that were written (out) or read (in), as they travel.")
    static let encoderTextBytes = MetricDefinition(
        .counter, "swift_dramatiq_encoder_text_bytes_total", ["encoder"],
        "Bytes without compression of the messages that came in.")
    static let storageBytes = MetricDefinition(
        .counter, "swift_dramatiq_storage_bytes_total", ["storage", "direction"],
        "Bytes of workflows that were stored (out) or loaded (in).")
    static let storageErrors = MetricDefinition(
        .counter, "swift_dramatiq_storage_errors_total", ["storage"], "Calls of a storage that threw.")
    static let storageDuration = MetricDefinition(
        .histogram, "swift_dramatiq_storage_milliseconds", ["storage", "direction"],
        "How long storing (out) and loading (in) took.", buckets: latencies)

    /// The figures that Python's dramatiq doesn't have.
    public static let own = [
        skips, redeliveries, deadLetters, hops, settlements, barriersCreated, barriersReleased, barriersLost,
        queueMessages, queueAge, cacheHits, cacheMisses, encoderBytes, encoderTextBytes, storageBytes, storageErrors,
        storageDuration,
    ]

    /// All figures.
    public static var all: [MetricDefinition] { dramatiq + own }
}
