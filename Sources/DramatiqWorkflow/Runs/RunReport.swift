public import Dramatiq

/// What has become of a run, as its callbacks are told: ``Workflow/onSuccess``, ``Workflow/onFailure``, ``Workflow/onEnd``.
///
/// In Python it is an object in the message's options: `CurrentMessage.get_current_message().options["workflow_report"]`.
public struct RunReport: Sendable, Hashable, Codable {
    /// The name of the option that it stands in.
    public static let optionName = "workflow_report"
    /// How many failures are listed at most: 20.
    public static let maxFailures = 20

    /// A task that has failed.
    public struct Failure: Sendable, Hashable, Codable {
        public var messageID: String
        public var actorName: String
        /// Why, for a person to read.
        public var reason: String
        /// Which attempt it was, the first one being 1.
        public var attempt: Int

        enum CodingKeys: String, CodingKey {
            case messageID = "message_id"
            case actorName = "actor_name"
            case reason
            case attempt
        }
    }

    /// The run's id, for ``WorkflowRun``.
    public var runID: String
    public var name: String
    public var labels: [String: String]
    /// `succeeded`, `failed` or `cancelled`.
    public var state: String
    /// Some of the tasks that have failed, the one that has failed last among them.
    public var failures: [Failure]
    public var failureCount: Int

    enum CodingKeys: String, CodingKey {
        case runID = "run_id"
        case name
        case labels
        case state
        case failures
        case failureCount = "failure_count"
    }

    init(_ status: RunStatus, _ state: RunState, failing: RunStatus.Failure?) {
        runID = status.run.id
        name = status.run.name
        labels = status.run.labels
        self.state = state.name
        var failures = status.failures
        failureCount = status.failureCount
        if let failing {
            let isNew = !failures.contains { $0.messageID.hasSameBytes(as: failing.messageID) }
            failures.removeAll { $0.messageID.hasSameBytes(as: failing.messageID) }
            failures.insert(failing, at: 0)
            if isNew { failureCount += 1 }
        }
        self.failures = failures.prefix(Self.maxFailures).map {
            Failure(messageID: $0.messageID, actorName: $0.actorName, reason: $0.reason, attempt: $0.attempt)
        }
    }
}

extension Message {
    /// What has become of the run that the message is a callback of; `nil` if it is none.
    ///
    /// - Throws: `DecodeError` if the option is something else.
    public var runReport: RunReport? {
        get throws {
            guard let value = options[RunReport.optionName] else { return nil }
            return try value.decoded(as: RunReport.self)
        }
    }
}
