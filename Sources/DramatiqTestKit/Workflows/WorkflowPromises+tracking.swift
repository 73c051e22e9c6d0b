import Dramatiq
import DramatiqWorkflow

extension WorkflowPromises {
    /// What is known of a run, where runs are kept in the same place as the messages.
    static let tracking: [Promise<any TransportSubject>] = [
        Promise("a run knows how far it is, what it waits for, and its end", needs: [.barriers, .runs]) { subject in
            let stage = try await WorkflowStage(subject)
            let m = stage.task.message
            let run = try await stage.start(m("1"), Group(m("2"), stage.elsewhere("3")), m("4"))
            try expectCounts(try await run.status(), total: 4, sent: 1, succeeded: 0, open: [])
            try await stage.work(until: "2", queues: [stage.queue])
            try expectCounts(try await run.status(), total: 4, sent: 3, succeeded: 2, open: [1])
            let other = WorkflowRun(id: run.id, broker: stage.broker)
            try expectEqual(try await other.status().run.state, .running, "the state, asked by somebody else")
            try await stage.work(until: "4")
            let status = try await run.wait(timeout: subject.patience)
            try expectEqual(status.run.state, .succeeded, "the state")
            try expect(status.run.ended.map { $0 >= status.run.started } ?? false, "an end after the start")
            try expectCounts(status, total: 4, sent: 4, succeeded: 4, open: [])
            var states: [RunState] = []
            for await status in run.progress(every: .milliseconds(1)) { states.append(status.run.state) }
            try expectEqual(states, [.succeeded], "the progress of a run that has ended")
        },
        Promise("a run whose beginning is repeated is counted once", needs: [.barriers, .runs]) { subject in
            let stage = try await WorkflowStage(subject)
            let m = stage.task.message
            let commit = try await Workflow(Group(m("1"), m("2")), broker: stage.broker).prepare()
            let state = try unwrap(commit.state, "barriers")
            for _ in 0..<2 { _ = try await state.store.apply(state) }
            let run = WorkflowRun(id: try unwrap(state.run, "a run").id, broker: stage.broker)
            try expectCounts(try await run.status(), total: 2, sent: 2, succeeded: 0, open: [2])
        },
        Promise("a run of one task and one without any end", needs: [.barriers, .runs]) { subject in
            let stage = try await WorkflowStage(subject)
            let empty = try await Workflow(Chain(Group()), broker: stage.broker).run()
            try expectCounts(try await empty.wait(timeout: subject.patience), total: 0, sent: 0, succeeded: 0, open: [])
            let one = try await stage.start(stage.task.message("1"))
            try expectCounts(try await one.status(), total: 1, sent: 1, succeeded: 0, open: [])
            try await stage.work(until: "1")
            try expectCounts(try await one.wait(timeout: subject.patience), total: 1, sent: 1, succeeded: 1, open: [])
        },
        Promise(
            "a task that fails is known, and no more once it was requeued with success",
            needs: [.barriers, .runs, .operations]
        ) { subject in
            let stage = try await WorkflowStage(subject)
            let m = stage.task.message
            let run = try await stage.start(
                Group(m("1"), Chain(stage.fragile.message("2"), m("3")), m("4")), m("5"))
            let letter = try await stage.workUntilDead(1)[0]
            let status = try await run.status()
            try expectCounts(status, total: 5, sent: 3, succeeded: 2, failed: 1, open: [1])
            let failure = try unwrap(status.failures.first, "a failure")
            try expectEqual(failure.messageID, try letter.message().messageID, "who has failed")
            try expectEqual(failure.actorName, "fragile", "its actor")
            try expectEqual(failure.attempt, 1, "its attempt")
            try expect(failure.reason.contains("Failure"), "the reason", saw: failure.reason)
            stage.isMended.set()
            try await stage.requeue(letter)
            try await stage.work(until: "5")
            let end = try await run.wait(timeout: subject.patience)
            try expectCounts(end, total: 5, sent: 5, succeeded: 5, open: [])
            try expectEqual(end.run.state, .succeeded, "the state")
        },
        Promise("a task that is passed over is counted as failed", needs: [.barriers, .runs]) { subject in
            let stage = try await WorkflowStage(subject, onFailure: .proceed)
            let m = stage.task.message
            let run = try await stage.start(Group(m("1"), stage.fragile.message("2")), m("3"))
            try await stage.work(until: "3")
            let end = try await run.wait(timeout: subject.patience)
            try expectCounts(end, total: 3, sent: 3, succeeded: 2, failed: 1, open: [])
            try expectEqual(end.failures.map(\.actorName), ["fragile"], "the actors that have failed")
        },
        Promise("a copy of a task that was done is not counted", needs: [.barriers, .runs]) { subject in
            let stage = try await WorkflowStage(subject)
            let run = try await stage.start(
                Group(stage.task.message("1"), stage.elsewhere("2")), stage.task.message("3"))
            let copy = try await stage.peek()
            try await stage.broker.enqueue([copy, copy, copy])
            try await stage.work(queues: [stage.queue]) {
                try await stage.expectRun("1", times: 4)
                try await stage.settle()
            }
            try expectCounts(try await run.status(), total: 3, sent: 2, succeeded: 1, open: [1])
            try await stage.work(until: "3")
            try expectCounts(try await run.wait(timeout: subject.patience), total: 3, sent: 3, succeeded: 3, open: [])
        },
        Promise("a copy of a task that was done changes no run that has ended", needs: [.barriers, .runs]) { subject in
            let stage = try await WorkflowStage(subject)
            let run = try await stage.start(stage.task.message("1"), stage.task.message("2"))
            let copy = try await stage.peek()
            try await stage.work(until: "2")
            let end = try await run.wait(timeout: subject.patience)
            try await stage.broker.enqueue([copy, copy])
            try await stage.work {
                try await stage.expectRun("1", times: 3)
                try await stage.settle()
            }
            try expectEqual(try await run.status(), end, "the run's status")
            try expectEqual(stage.ran.count { $0 == "2" }, 1, "the number of times that the next step ran")
        },
        Promise("runs are found by state, name and labels, the latest first", needs: [.barriers, .runs]) { subject in
            let stage = try await WorkflowStage(subject)
            let m = stage.task.message
            var ids: [String] = []
            for number in 0..<6 {
                let workflow = Workflow(
                    m("\(number)"), name: number.isMultiple(of: 2) ? "even" : "odd",
                    labels: ["number": "\(number)", "half": number < 3 ? "first" : "second=1"], broker: stage.broker)
                ids.append(try await workflow.run().id)
            }
            func found(
                _ state: RunState? = nil, _ name: String? = nil, _ labels: [String: String] = [:]
            ) async throws -> Set<Int> {
                var numbers: [Int] = []
                for try await run in stage.broker.workflowRuns(state: state, name: name, labels: labels) {
                    numbers.append(try unwrap(ids.firstIndex(of: run.id), "a run of this check"))
                    try expectEqual(run.labels["number"], "\(numbers.last ?? -1)", "a label")
                    try expectEqual(run.taskCount, 1, "the number of tasks")
                }
                try expectEqual(Set(numbers).count, numbers.count, "the number of different runs")
                return Set(numbers)
            }
            try expectEqual(try await found(), [0, 1, 2, 3, 4, 5], "all")
            try expectEqual(try await found(.running), [0, 1, 2, 3, 4, 5], "those that run")
            try expectEqual(try await found(.succeeded), [], "those that have succeeded")
            try expectEqual(try await found(nil, "even"), [0, 2, 4], "those of a name")
            try expectEqual(try await found(nil, "Even"), [], "those of another name")
            try expectEqual(try await found(nil, nil, ["half": "second=1"]), [3, 4, 5], "those with a label")
            try expectEqual(
                try await found(.running, "odd", ["half": "second=1", "number": "5"]), [5], "those with all of it")
            try await stage.work {
                for id in ids { try await WorkflowRun(id: id, broker: stage.broker).wait(timeout: subject.patience) }
            }
            try expectEqual(try await found(.running), [], "those that run, later")
            try expectEqual(try await found(.succeeded, "odd"), [1, 3, 5], "those that have succeeded, later")
        },
        Promise("of the runs that have ended, so many are kept as is said, the latest", needs: [.barriers, .runs]) {
            subject in
            let stage = try await WorkflowStage(subject, tracking: .enabled(maxEnded: 2))
            let waiting = try await stage.start(stage.elsewhere("elsewhere"))
            var ids: [String] = []
            try await stage.work(queues: [stage.queue]) {
                for number in 0..<5 {
                    let run = try await stage.start(stage.task.message("\(number)"))
                    try await run.wait(timeout: subject.patience)
                    ids.append(run.id)
                }
            }
            var found: Set<String> = []
            for try await run in stage.broker.workflowRuns() { found.insert(run.id) }
            try expectEqual(found, [waiting.id, ids[3], ids[4]], "the runs that are kept")
            let error = try await expectError(WorkflowError.self, "it was forgotten") {
                try await WorkflowRun(id: ids[2], broker: stage.broker).status()
            }
            try expectEqual(error.code, .runUnknown, "the error's code")
        },
        Promise("a run that isn't known is an error", needs: [.barriers, .runs]) { subject in
            let stage = try await WorkflowStage(subject, tracking: .disabled)
            let untracked = try await stage.start(stage.task.message("1"))
            for run in [
                untracked, WorkflowRun(id: "", broker: stage.broker), WorkflowRun(id: "*", broker: stage.broker),
            ] {
                let error = try await expectError(WorkflowError.self, "nobody knows of it") { try await run.status() }
                try expectEqual(error.code, .runUnknown, "the error's code")
            }
            try await stage.work(until: "1")
        },
    ]

    private static func expectCounts(
        _ status: RunStatus,
        total: Int,
        sent: Int,
        succeeded: Int,
        failed: Int = 0,
        open: [Int],
        file: String = #fileID,
        line: Int = #line
    ) throws {
        let sum = status.total
        try expectEqual(
            [sum.total, sum.sent, sum.succeeded, sum.failed, sum.skipped], [total, sent, succeeded, failed, 0],
            "the tasks, those that were sent, that succeeded, failed and were skipped", file: file, line: line)
        try expectEqual(status.run.taskCount, total, "the tasks of the run", file: file, line: line)
        try expectEqual(
            status.openBarriers.map(\.missing), open, "who is missing at open barriers", file: file, line: line)
        try expectEqual(status.openBarrierCount, open.count, "the open barriers", file: file, line: line)
        try expectEqual(status.failureCount, failed, "the failures", file: file, line: line)
    }
}
