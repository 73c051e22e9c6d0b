import CommandLineSupport
import Dramatiq

extension DemoEvent {
    /// The event as one line of JSON without the line's end; `nil` for what is no event of the workflow.
    func jsonLine(part: Int) -> String? {
        guard let (name, members) = nameAndMembers else { return nil }
        let head: [(String, JSONValue)] = [
            ("event", .string(name)),
            ("part", .integer(part)),
            // Microseconds are as fine as it gets.
            ("ms", .double((milliseconds * 1000).rounded() / 1000)),
        ]
        return PrintableText.escape(json: JSONObject(head + members).description)
    }

    private var nameAndMembers: (String, [(String, JSONValue)])? {
        switch kind {
        case .workflowStarted(let definition): ("workflow_started", [("workflow", .string(definition))])
        case .taskStarted(let run): ("task_started", run.members)
        case .taskFinished(let run): ("task_finished", run.members)
        case .taskRetried(let run, let reason): ("task_retried", run.members + [("reason", .string(reason))])
        case .taskFailed(let run, let reason): ("task_failed", run.members + [("reason", .string(reason))])
        case .barrierCreated(let barrier): ("barrier_created", barrier.members)
        case .barrierOpened(let barrier): ("barrier_opened", barrier.members)
        case .filesFound(let count, let bytes):
            ("files_found", [("files", .integer(count)), ("bytes", .integer(bytes))])
        case .fileSkipped(let path, let reason):
            ("file_skipped", [("path", .string(path.argument)), ("reason", .string(reason))])
        case .manifestWritten(let path, let files):
            ("manifest_written", [("path", .string(path.argument)), ("files", .integer(files))])
        case .fileVerified(let path): ("file_verified", [("path", .string(path.argument))])
        case .claimChecked(let check): ("claim_checked", check.members)
        case .workflowDone(let failure):
            (
                "workflow_done",
                [("succeeded", .bool(failure == nil))] + (failure.map { [("reason", .string($0))] } ?? [])
            )
        case .logged: nil
        }
    }
}

extension TaskRun {
    fileprivate var members: [(String, JSONValue)] {
        [("task", .string(actorName)), ("args", .array(arguments)), ("message_id", .string(messageID))]
    }
}

extension BarrierState {
    fileprivate var members: [(String, JSONValue)] {
        [("barrier", .integer(number)), ("parties", .integer(parties)), ("key", .string(key))]
    }
}

extension ClaimCheck {
    fileprivate var members: [(String, JSONValue)] {
        let head: [(String, JSONValue)] = [("claim", .string(claim))]
        return switch verdict {
        case .holds: head + [("holds", true)]
        case .fails(let reason): head + [("holds", false), ("reason", .string(reason))]
        case .notApplicable(let reason): head + [("holds", nil), ("reason", .string(reason))]
        }
    }
}
