import Dramatiq
import DramatiqWorkflow

extension WorkflowPromises {
    /// What a run looks like, where runs are kept in the same place as the messages.
    static let drawing: [Promise<any TransportSubject>] = [
        Promise("a run's drawing says how far each of its parts is", needs: [.barriers, .runs]) { subject in
            let stage = try await WorkflowStage(subject)
            let m = stage.task.message
            let run = try await stage.start(m("1"), Group(m("2"), stage.elsewhere("3")), m("4"))
            try await expectStates(
                run, ["0 of 4 done, 1 in flight", "0 of 1 done, 1 in flight", "not begun", "not begun", "not begun"])
            try await stage.work(until: "2", queues: [stage.queue])
            try await expectStates(
                run,
                [
                    "2 of 4 done, 1 in flight", "done", "1 of 2 done, 1 in flight", "1 of 2 done, 1 in flight",
                    "not begun",
                ])
            try await stage.work(until: "4")
            try await run.wait(timeout: subject.patience)
            try await expectStates(run, Array(repeating: "done", count: 5))
        },
        Promise("a large run's drawing is kept until it has ended", needs: [.barriers, .runs]) { subject in
            let stage = try await WorkflowStage(subject)
            let m = stage.task.message
            // One is of another kind than the next, so that they are not drawn as one.
            let steps = (0..<40).map { number in
                number.isMultiple(of: 2) ? m("\(number)").node : Group(m("\(number)"), m("\(number) as well")).node
            }
            let run = try await Workflow(Chain(children: steps), broker: stage.broker).run()
            let diagram = try unwrap(try await run.status().diagram, "a drawing")
            try expect(diagram.nodes.count > 40, "most of its parts to be drawn", saw: "\(diagram)")
            try expectEqual(diagram.nodes[0].taskCount, 60, "the tasks")
            try await stage.work { try await run.wait(timeout: subject.patience) }
            let status = try await run.status()
            try expect(status.diagram == nil, "no drawing", saw: status.outline)
        },
        Promise("a run's drawing shows what has failed, and what was mended", needs: [.barriers, .runs, .operations]) {
            subject in
            let stage = try await WorkflowStage(subject, onFailure: .failFast)
            let m = stage.task.message
            let run = try await stage.start(
                m("1"), Group(stage.fragile.message("2"), Chain(m("3"), stage.elsewhere("4"), stage.elsewhere("5"))),
                WithDelay(.milliseconds(1)) { m("6") })
            _ = try await stage.workUntilDead(1, queues: [stage.queue])
            let failed = try unwrap(try await run.status().diagram, "a drawing of a run that has failed")
            try expectEqual(try await run.status().run.state, .failed, "the state")
            try expectEqual(
                failed.nodes.prefix(4).map { $0.state?.phase }, [.failed, .done, .failed, .failed], "what has failed")
            stage.isMended.set()
            try await run.retryFailed()
            try await stage.work { try await run.wait(timeout: subject.patience) }
        },
    ]

    private static func expectStates(
        _ run: WorkflowRun,
        _ states: [String],
        file: String = #fileID,
        line: Int = #line
    ) async throws {
        let diagram = try unwrap(try await run.status().diagram, "a drawing", file: file, line: line)
        try expectEqual(
            diagram.nodes.map { $0.state.map { "\($0)" } ?? "nothing known" }, states, "how far each part is",
            file: file, line: line)
    }
}
