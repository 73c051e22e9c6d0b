/// An option of messages that the core must know by its name, whatever of dramatiq a program has linked.
///
/// Names on the wire hold for all who share a queue. A worker without workflows must not take a task of one for done, and
/// the id that a server gave a message doesn't belong to its copy, wherever that is sent. Neither can be asked of the part
/// whose option it is, since that part may not be there. So this and ``ReservedQueueName`` are what the core knows of
/// plugins, and nothing else in it names one.
struct WireOption: Sendable {
    /// Why a copy of a message, which is another message, goes without an option of the original.
    enum Bond: Sendable {
        /// Something waits for this very message by it.
        case tie
        /// It tells what has happened to the message so far.
        case history
        /// A transport keeps its own id for the message there, another one for each enqueue.
        case transportID
    }

    let name: String
    let bond: Bond?
    /// The middleware that serves it; `nil` if none has to.
    let middleware: String?
    /// Whether work would be lost in silence without that middleware.
    let losesWork: Bool

    private init(_ name: String, _ bond: Bond? = nil, servedBy middleware: String? = nil, losesWork: Bool = false) {
        self.name = name
        self.bond = bond
        self.middleware = middleware
        self.losesWork = losesWork
    }

    /// Those of dramatiq, dramatiq-workflow and the transports.
    static let all = [
        WireOption("redis_message_id", .transportID),
        WireOption("workflow_completion_callbacks", .tie, servedBy: "WorkflowMiddleware", losesWork: true),
        WireOption("workflow_taken_results", servedBy: "WorkflowMiddleware", losesWork: true),
        WireOption("workflow_run", .tie),
        WireOption("group_completion_callbacks", .tie, servedBy: "GroupCallbacks", losesWork: true),
        WireOption("group_completion_uuid", .tie, servedBy: "GroupCallbacks"),
        WireOption("retries", .history),
        WireOption("traceback", .history),
        WireOption("requeue_timestamp", .history),
        WireOption("pipe_target", servedBy: "Pipelines", losesWork: true),
        WireOption("on_success", servedBy: "Callbacks", losesWork: true),
        WireOption("on_failure", servedBy: "Callbacks", losesWork: true),
        WireOption("on_retry_exhausted", servedBy: "Retries", losesWork: true),
        WireOption("store_results", servedBy: "Results"),
        WireOption("result_ttl", servedBy: "Results"),
        WireOption("max_age", servedBy: "AgeLimit"),
        WireOption("time_limit", servedBy: "TimeLimit"),
        WireOption("notify_shutdown", servedBy: "ShutdownNotifications"),
        WireOption("max_retries", servedBy: "Retries"),
        WireOption("min_backoff", servedBy: "Retries"),
        WireOption("max_backoff", servedBy: "Retries"),
    ]

    /// The options that let something wait for this very message.
    static let ties = all.filter { $0.bond == .tie }.map(\.name)
    /// The options that tell what has happened to a message so far.
    static let history = all.filter { $0.bond == .history }.map(\.name)
    /// The options in which transports keep their ids for messages.
    static let transportIDs = all.filter { $0.bond == .transportID }.map(\.name)
    /// All that a copy goes without.
    static let bonds = all.filter { $0.bond != nil }.map(\.name)
}
