public import Dramatiq

/// Why a workflow can't be started or go on.
public struct WorkflowError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The sort of error. New ones may be added, so a `switch` needs a `default`.
    public struct Code: Sendable, Hashable, CustomStringConvertible {
        public let description: String

        private init(_ description: String) {
            self.description = description
        }

        /// The broker has no ``WorkflowMiddleware``.
        public static let middlewareMissing = Code("middlewareMissing")
        /// Not a node of a workflow.
        public static let invalidNode = Code("invalidNode")
        /// A message's `workflow_completion_callbacks` are not what the storage understands.
        public static let invalidCallbacks = Code("invalidCallbacks")
        /// A message's callbacks were stored by a storage that this program's ``WorkflowMiddleware`` has not, or by a
        /// later version of it.
        public static let foreignReference = Code("foreignReference")
        /// A reference to a stored workflow says that the rest begins where none does.
        public static let invalidCursor = Code("invalidCursor")
        /// A `workflow_on_failure` option that means nothing.
        public static let invalidFailurePolicy = Code("invalidFailurePolicy")
        /// A name or labels that a run can't have.
        public static let invalidLabels = Code("invalidLabels")
        /// Callbacks that a run can't have.
        public static let invalidRunCallbacks = Code("invalidRunCallbacks")
        /// Tasks can't be added, since the code doesn't run in an actor, or not any more.
        public static let notInTask = Code("notInTask")
        /// A task takes a result that no earlier step on its way has.
        public static let resultUnknown = Code("resultUnknown")
        /// A name was given to two results of a workflow.
        public static let resultNameRepeated = Code("resultNameRepeated")
        /// A task takes more results than one can, or more different ones.
        public static let tooManyResults = Code("tooManyResults")
        /// The broker has no `Results` among its middleware, which keeps what tasks take.
        public static let resultsNotKept = Code("resultsNotKept")
        /// A `workflow_taken_results` option that means nothing.
        public static let invalidResults = Code("invalidResults")
        /// Nothing is known of a run.
        public static let runUnknown = Code("runUnknown")
        /// The backend of this program's ``WorkflowMiddleware`` keeps no runs.
        public static let runsNotKept = Code("runsNotKept")
        /// A task of a run has failed for good, and the run with it.
        public static let runFailed = Code("runFailed")
        /// Somebody has cancelled a run.
        public static let runCancelled = Code("runCancelled")
        /// A run has not ended in the time that was given to it.
        public static let runTimedOut = Code("runTimedOut")
    }

    public let code: Code
    /// What is wrong and what helps, for a person to read.
    public let description: String
    /// The name of the storage that is missing here.
    public private(set) var storage: String?
    /// The version that the missing storage needs to have.
    public private(set) var storageVersion: Int?
    /// How far the run is that the error is about.
    public private(set) var status: RunStatus?
}

extension WorkflowError: PermanentError {}

/// What callback storages throw.
extension WorkflowError {
    /// ``Code/invalidCallbacks``.
    public static func invalidCallbacks(reason: String) -> WorkflowError {
        WorkflowError(
            code: .invalidCallbacks,
            description: "The option workflow_completion_callbacks can't be understood: \(reason)")
    }

    /// ``Code/invalidCursor``.
    package static func invalidCursor(_ cursor: Int, reference: String) -> WorkflowError {
        WorkflowError(
            code: .invalidCursor,
            description:
                "Cursor \(cursor) of the reference \(reference) is not where a rest of the stored workflow begins")
    }

    /// ``Code/foreignReference``.
    public static func foreignReference(storage: String, version: Int) -> WorkflowError {
        WorkflowError(
            code: .foreignReference,
            description: "The message's workflow was stored by the callback storage '\(storage)' (version \(version)), "
                + "which this program can't read. Add it: WorkflowMiddleware(…, callbackStorage: new.reading(old))",
            storage: storage, storageVersion: version)
    }
}

extension WorkflowError {
    static let middlewareMissing = WorkflowError(
        code: .middlewareMissing,
        description: "The broker has no WorkflowMiddleware, which workflows need. Add it when you make the broker: "
            + "Broker(…, middleware: Broker.defaultMiddleware + [WorkflowMiddleware(backend: …)])")

    static func invalidNode(reason: String, excerpt: String) -> WorkflowError {
        WorkflowError(code: .invalidNode, description: "Not a workflow: \(reason), in \(excerpt)")
    }

    static func invalidFailurePolicy(_ value: String) -> WorkflowError {
        WorkflowError(
            code: .invalidFailurePolicy,
            description: "The option workflow_on_failure can't be \(value): use \"fail_fast\", \"halt\", "
                + "\"proceed\" or {\"notify\": \"actor\"}")
    }

    static func invalidLabels(_ reason: String) -> WorkflowError {
        WorkflowError(code: .invalidLabels, description: PrintableText.escape(reason, limit: PrintableText.logLimit))
    }

    static func invalidRunCallbacks(_ reason: String) -> WorkflowError {
        WorkflowError(code: .invalidRunCallbacks, description: "A workflow can't have its callbacks: \(reason)")
    }

    static let notInTask = WorkflowError(
        code: .notInTask,
        description: "Only an actor can add tasks, while it runs on a broker with a WorkflowMiddleware; in a "
            + "pipeline only the last one")

    static func resultUnknown(_ taker: Message, _ reason: String) -> WorkflowError {
        WorkflowError(
            code: .resultUnknown,
            description: PrintableText.escape(
                "The task of actor '\(taker.actorName)' can't take what it asks for: \(reason)",
                limit: PrintableText.logLimit))
    }

    static let resultsOfAdded = WorkflowError(
        code: .resultUnknown,
        description: "Tasks that are added while a workflow runs can't take results, and have no names to take "
            + "theirs by")

    static func resultNameRepeated(_ name: String) -> WorkflowError {
        WorkflowError(
            code: .resultNameRepeated,
            description:
                "Two steps of the workflow have the name '\(PrintableText.escape(name, limit: 200))' for their "
                + "results")
    }

    static func tooManyResults(_ taker: Message, _ reason: String) -> WorkflowError {
        WorkflowError(
            code: .tooManyResults,
            description: "The task of actor '\(PrintableText.escape(taker.actorName, limit: 200))' takes too much: "
                + reason)
    }

    static func resultsTooDeep(limit: Int) -> WorkflowError {
        WorkflowError(
            code: .tooManyResults,
            description: "A task takes the result of groups that are nested deeper than \(limit) levels")
    }

    static let resultsNotKept = WorkflowError(
        code: .resultsNotKept,
        description: "The broker has no Results, which keeps what tasks take of earlier ones. Add it when you make the "
            + "broker: Broker(…, middleware: Broker.defaultMiddleware + [Results(backend: …), WorkflowMiddleware(…)])")

    static func invalidResults(_ reason: String) -> WorkflowError {
        WorkflowError(
            code: .invalidResults,
            description: PrintableText.escape(
                "The option workflow_taken_results can't be understood: \(reason)", limit: PrintableText.logLimit))
    }

    static func runUnknown(_ id: String) -> WorkflowError {
        WorkflowError(
            code: .runUnknown,
            description: "Nothing is known of the run \(PrintableText.escape(id, limit: 200)): there was none, it was "
                + "not tracked, its time is over, or this broker has another backend or another namespace")
    }

    static func runsNotKept(_ backend: any StateStore) -> WorkflowError {
        WorkflowError(
            code: .runsNotKept,
            description: "\(type(of: backend)) keeps no runs of workflows: give the WorkflowMiddleware a backend that "
                + "does")
    }

    static func runFailed(_ status: RunStatus) -> WorkflowError {
        let first = status.failures.first.map { ", one of them of \($0.actorName): \($0.reason)" } ?? ""
        let text =
            "The run \(status.run.id) has failed with \(status.failureCount) of its tasks\(first). Once the reason is gone, "
            + "retryFailed() has it go on"
        return WorkflowError(
            code: .runFailed, description: PrintableText.escape(text, limit: PrintableText.logLimit), status: status)
    }

    static func runCancelled(_ status: RunStatus) -> WorkflowError {
        WorkflowError(
            code: .runCancelled,
            description: "The run \(PrintableText.escape(status.run.id, limit: 200)) was cancelled", status: status)
    }

    static func runTimedOut(_ status: RunStatus) -> WorkflowError {
        WorkflowError(
            code: .runTimedOut,
            description: "The run \(PrintableText.escape(status.run.id, limit: 200)) is still \(status.run.state): "
                + "\(status.openBarrierCount) barriers are open and \(status.failureCount) tasks have failed",
            status: status)
    }
}
