import Dramatiq

/// Whether it is kept what becomes of the workflows that are started, and for how long.
///
/// A run that is kept has one barrier more, which its last task opens, whoever runs that: Python's workers count it as any
/// other. What is counted is counted in the commits that are made anyway.
public struct RunTracking: Sendable, Hashable {
    /// For how long a run is kept that has ended, unless said otherwise: a week.
    public static let defaultRetention = Duration.seconds(7 * 86_400)

    /// How many runs that have ended are kept, unless said otherwise: 10 000, which take some 10 MB in Redis.
    public static let defaultMaxEnded = 10_000

    package let isEnabled: Bool
    /// For how long a run is kept that has ended.
    public let retention: Duration
    /// How many runs that have ended are kept; the earliest go first. From a thousand on a few more may be there for a while,
    /// since looking for them takes time.
    public let maxEnded: Int

    /// Runs are kept for a week beyond their end, the latest 10 000 of those that have ended, if the backend can: if it has
    /// a `runStore`.
    public static let enabled = enabled()
    /// Runs are not kept. Messages are as those of dramatiq-workflow.
    public static let disabled = RunTracking(isEnabled: false, retention: .zero, maxEnded: 0)

    /// Runs are kept for a time beyond their end, if the backend can.
    ///
    /// - Parameters:
    ///   - retention: for how long. Defaults to a week.
    ///   - maxEnded: how many of those that have ended, see ``maxEnded``. Defaults to 10 000.
    public static func enabled(
        retention: Duration = defaultRetention,
        maxEnded: Int = defaultMaxEnded
    ) -> RunTracking {
        RunTracking(isEnabled: true, retention: max(.milliseconds(1), retention), maxEnded: max(0, maxEnded))
    }

    private init(isEnabled: Bool, retention: Duration, maxEnded: Int) {
        self.isEnabled = isEnabled
        self.retention = retention
        self.maxEnded = maxEnded
    }

    /// - Throws: ``WorkflowError/Code/invalidLabels``.
    static func check(_ workflow: Workflow) throws(WorkflowError) {
        let longest = RunLimits.maxNameLength
        if workflow.name.utf8.count > longest {
            throw .invalidLabels("The name of a workflow is longer than \(longest) bytes")
        }
        if workflow.labels.count > RunLimits.maxLabels {
            throw .invalidLabels("A workflow has \(workflow.labels.count) labels, more than \(RunLimits.maxLabels)")
        }
        if workflow.name.utf8.contains(RunLimits.separator) {
            throw .invalidLabels("The name of a workflow has the control character U+001F")
        }
        for (key, value) in workflow.labels {
            if key.utf8.contains(RunLimits.separator) || value.utf8.contains(RunLimits.separator) {
                throw .invalidLabels("A label of a workflow has the control character U+001F")
            }
            if key.isEmpty || key.utf8.contains(UInt8(ascii: "=")) {
                throw .invalidLabels("A workflow's label is called '\(key)': a name is not empty and has no '='")
            }
            if key.utf8.count > longest || value.utf8.count > longest {
                throw .invalidLabels("The label '\(key)' of a workflow is longer than \(longest) bytes")
            }
        }
    }
}
