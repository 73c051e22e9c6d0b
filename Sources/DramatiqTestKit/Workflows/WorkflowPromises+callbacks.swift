import Dramatiq
import DramatiqWorkflow
import Synchronization

/// What a run sends when it ends.
extension WorkflowPromises {
    /// A stage with an actor that is told of ends, and what it was told: its argument, with the report.
    static func told(
        _ subject: any TransportSubject
    ) async throws -> (stage: WorkflowStage, actor: TaskActor<String, Void>, reports: Reports) {
        let stage = try await WorkflowStage(subject, onFailure: .failFast, adding: [CurrentMessage()])
        let reports = Reports()
        let actor = TaskActor("told", queue: stage.queue) { (name: String) in
            let report = try CurrentMessage.message?.runReport
            reports.list.withLock { $0.append((name, report)) }
        }
        try await stage.broker.declare(actor)
        return (stage, actor, reports)
    }

    final class Reports: Sendable {
        let list = Mutex<[(name: String, report: RunReport?)]>([])
        var names: [String] { list.withLock { $0.map(\.name) } }
        func report(_ name: String) -> RunReport? { list.withLock { $0.last { $0.name == name }?.report } }
    }

    static let callbacks: [Promise<any TransportSubject>] = [
        Promise("a run that succeeds says so once, when all of it is done", needs: [.barriers, .runs]) { subject in
            let (stage, told, reports) = try await told(subject)
            let m = stage.task.message
            for shape in [
                Chain(m("a"), Group(m("b"), m("c"))), Chain(Group(Group(m("d"), m("e")))), Chain(m("f")), Chain(),
            ] {
                let before = reports.names.count
                let run = try await Workflow(
                    shape, name: "shape", labels: ["a": "b"], onSuccess: told.message("success"),
                    onFailure: told.message("failure"), onEnd: told.message("end"), broker: stage.broker
                ).run()
                try await stage.work {
                    try await run.wait(timeout: subject.patience)
                    try await eventually(within: subject.patience, "both to be told") {
                        reports.names.count == before + 2
                    }
                    try await stage.settle()
                }
                try expectEqual(reports.names.dropFirst(before).sorted(), ["end", "success"], "who was told")
                let report = try unwrap(reports.report("success"), "a report")
                try expectEqual(report.runID, run.id, "the run")
                try expectEqual([report.name, report.state], ["shape", "succeeded"], "its name and its state")
                try expectEqual(report.labels, ["a": "b"], "its labels")
                try expectEqual(report.failureCount, 0, "its failures")
            }
            try expectEqual(stage.ran.sorted(), ["a", "b", "c", "d", "e", "f"], "the tasks that ran, sorted")
        },
        Promise(
            "a run that fails says so once, whoever else fails, and that it has succeeded once it was retried",
            needs: [.barriers, .runs, .operations]
        ) { subject in
            let (stage, told, reports) = try await told(subject)
            let f = stage.fragile.message
            let run = try await Workflow(
                Chain(Group(children: (0..<8).map { .message(f("\($0)")) }), stage.task.message("last")),
                onSuccess: told.message("success"), onFailure: told.message("failure"), onEnd: told.message("end"),
                broker: stage.broker
            ).run()
            try await stage.work(concurrency: 4) {
                try await eventually(
                    within: subject.patience, "all to have failed or be put aside, and both to be told"
                ) {
                    let status = try await run.status()
                    return status.run.state == .failed && status.total.inFlight == 0 && reports.names.count == 2
                }
                try await stage.settle()
            }
            try expectEqual(reports.names.sorted(), ["end", "failure"], "who was told")
            let report = try unwrap(reports.report("failure"), "a report")
            try expectEqual(report.state, "failed", "the state")
            try expect(report.failureCount >= 1, "there is a failure", saw: "\(report)")
            let first = try unwrap(report.failures.first, "a failure")
            try expectEqual([first.actorName, "\(first.attempt)"], ["fragile", "1"], "who has failed")
            try expect(first.reason.contains("Failure"), "the reason", saw: first.reason)
            stage.isMended.set()
            try await run.retryFailed()
            try await stage.work(concurrency: 4) {
                try await eventually(within: subject.patience, "both to be told") { reports.names.count == 4 }
                try await run.wait(timeout: subject.patience)
                try await stage.settle()
            }
            try expectEqual(reports.names.sorted(), ["end", "end", "failure", "success"], "who was told, in the end")
            try expectEqual(stage.ran.last, "last", "the last task")
        },
        Promise("a run that is cancelled says once that it has ended", needs: [.barriers, .runs]) { subject in
            let (stage, told, reports) = try await told(subject)
            for isPaused in [false, true] {
                let before = reports.names.count
                let run = try await Workflow(
                    stage.elsewhere("waits"), onSuccess: told.message("success"), onFailure: told.message("failure"),
                    onEnd: told.message("end"), broker: stage.broker
                ).run()
                if isPaused { try await run.pause() }
                let states = try await withThrowingTaskGroup(of: RunState.self) { group in
                    for _ in 0..<4 { group.addTask { try await run.cancel().state } }
                    return try await group.reduce(into: Set()) { $0.insert($1) }
                }
                try expectEqual(states, [.cancelled], "the states")
                try await stage.work {
                    try await eventually(within: subject.patience, "the end to be told") {
                        reports.names.count > before
                    }
                    try await stage.settle()
                }
                try expectEqual(Array(reports.names.dropFirst(before)), ["end"], "who was told")
                let report = try unwrap(reports.report("end"), "a report")
                try expectEqual([report.runID, report.state], [run.id, "cancelled"], "the run, and what it was")
                try await run.cancel()
                try await stage.work { try await stage.settle() }
                try expectEqual(reports.names.count, before + 1, "how many were told, later")
            }
        },
        Promise("callbacks that can't be kept are refused", needs: [.barriers, .runs]) { subject in
            let (stage, told, _) = try await told(subject)
            let untracked = try await WorkflowStage(subject, tracking: .disabled)
            let large = told.message(String(repeating: "x", count: 70_000))
            for (broker, message) in [(untracked.broker, told.message("a")), (stage.broker, large)] {
                let error = try await expectError(WorkflowError.self, "it can't be kept") {
                    try await Workflow(stage.task.message("1"), onEnd: message, broker: broker).run()
                }
                try expectEqual(error.code, .invalidRunCallbacks, "the error's code")
            }
        },
    ]
}
