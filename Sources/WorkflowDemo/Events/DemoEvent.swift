import CommandLineSupport
import Dramatiq

/// Something that happened in a demo, and when.
struct DemoEvent: Sendable {
    enum Kind: Sendable {
        /// A workflow is about to start; its definition.
        case workflowStarted(String)
        case taskStarted(TaskRun)
        case taskFinished(TaskRun)
        /// An attempt failed and there will be another one.
        case taskRetried(TaskRun, reason: String)
        /// A task failed for good.
        case taskFailed(TaskRun, reason: String)
        case barrierCreated(BarrierState)
        case barrierOpened(BarrierState)
        case filesFound(count: Int, bytes: Int)
        /// A file that can't be read is left out.
        case fileSkipped(FilePath, reason: String)
        case manifestWritten(FilePath, files: Int)
        /// A file was read again and is as the manifest says.
        case fileVerified(FilePath)
        /// Something that is claimed about the run was looked at.
        case claimChecked(ClaimCheck)
        case workflowDone(failure: String?)
        /// What the library has logged.
        case logged(String)
    }

    /// Since the demo began.
    let milliseconds: Double
    let kind: Kind
}

/// One run of a task, as far as an observer is concerned.
struct TaskRun: Sendable {
    let actorName: String
    let arguments: JSONArray
    let messageID: String

    init(_ message: Message) {
        actorName = message.actorName
        arguments = message.args
        messageID = message.messageID
    }
}

/// A barrier, numbered in the order of creation.
struct BarrierState: Sendable {
    let number: Int
    let key: String
    let parties: Int
}

/// Whether something that is claimed about a run is true of it.
struct ClaimCheck: Sendable, Equatable {
    enum Verdict: Sendable, Equatable {
        case holds
        /// What speaks against it.
        case fails(String)
        /// Why it could not be expected.
        case notApplicable(String)
    }

    let claim: String
    let verdict: Verdict
}
