import Dramatiq
import DramatiqWorkflow
import Synchronization

/// What becomes of a run one of whose tasks fails for good.
extension WorkflowPromises {
    /// A workflow whose `fragile` task fails, beside another one in another queue.
    private static func failing(_ stage: WorkflowStage) -> [any WorkflowComponent] {
        let m = stage.task.message
        return [
            m("first"),
            Group(Chain(Group(m("a"), stage.fragile.message("b")), m("c")), Chain(stage.elsewhere("d"), m("e"))),
            m("end"),
        ]
    }

    static let failing: [Promise<any TransportSubject>] = [
        Promise(
            "a run that fails fast starts nothing more, and goes on from there when it is retried",
            needs: [.barriers, .runs, .operations]
        ) { subject in
            let stage = try await WorkflowStage(subject, onFailure: .failFast)
            let run = try await stage.start(Chain(children: failing(stage).map(\.node)))
            _ = try await stage.workUntilDead(1, queues: [stage.queue])
            let error = try await expectError(WorkflowError.self, "it has failed") {
                try await run.wait(timeout: subject.patience)
            }
            try expectEqual(error.code, .runFailed, "the error's code")
            try expectEqual(error.status?.failures.map(\.actorName), ["fragile"], "who has failed")
            try expectEqual(try await stage.listed(.failed), [run.id], "the runs that are listed as failed")
            // The other queue's worker comes only now.
            try await stage.work {
                try await eventually(within: subject.patience, "what is left to be put aside") {
                    try await run.status().total.inFlight == 0
                }
                try await stage.settle()
            }
            try expect(stage.ran.allSatisfy { ["first", "a"].contains($0) }, "no other has run", saw: "\(stage.ran)")
            let failed = try await run.status()
            try expectEqual(failed.total.failed, 1, "the tasks that have failed")
            try expectEqual(failed.total.succeeded + failed.total.held, 3, "the others")
            try expect(failed.total.held >= 1, "what waited elsewhere was put aside", saw: "\(failed.total)")
            stage.isMended.set()
            try expectEqual(try await run.retryFailed(), failed.total.held + 1, "the messages that went back")
            try await stage.work { try await run.wait(timeout: subject.patience) }
            try expectEqual(
                stage.ran.sorted(), ["a", "b", "c", "d", "e", "end", "first"], "the tasks that ran, sorted")
            try expectEqual(stage.ran.last, "end", "the last task")
            let end = try await run.status()
            try expectEqual(
                [end.total.sent, end.total.succeeded, end.total.failed, end.total.held], [7, 7, 0, 0], "the tasks")
            try expectEqual(try await stage.listed(.failed), [], "the runs that are listed as failed, later")
            try expectEqual(try await run.retryFailed(), 0, "what goes back of a run that has succeeded")
        },
        Promise(
            "a run that has failed goes on when its dead letter is requeued, and fails again",
            needs: [.barriers, .runs, .operations]
        ) { subject in
            let stage = try await WorkflowStage(subject, onFailure: .failFast)
            let run = try await stage.start(Chain(children: failing(stage).map(\.node)))
            let letter = try await stage.workUntilDead(1, queues: [stage.queue])[0]
            try await stage.work {
                try await eventually(within: subject.patience, "what is left to be put aside") {
                    try await run.status().total.inFlight == 0
                }
            }
            try await stage.requeue(letter)
            let next = try await stage.workUntilDead(1)[0]
            try expectEqual(try await run.status().run.state, .failed, "the state")
            try expectEqual(try await run.status().failureCount, 1, "the failures")
            stage.isMended.set()
            try await stage.requeue(next)
            try await stage.work {
                try await eventually(within: subject.patience, "it to succeed") {
                    try await run.status().run.state == .succeeded
                }
            }
            try expectEqual(
                stage.ran.sorted(), ["a", "b", "c", "d", "e", "end", "first"], "the tasks that ran, sorted")
            try expectEqual(stage.ran.last, "end", "the last task")
        },
        Promise(
            "half of a large group fails; when it is retried, only that half runs again",
            needs: [.barriers, .runs, .operations]
        ) { subject in
            let stage = try await WorkflowStage(subject, onFailure: .failFast)
            let m = stage.task.message
            let run = try await stage.start(
                Group(
                    children: (0..<100).map {
                        .message($0.isMultiple(of: 2) ? m("\($0)") : stage.fragile.message("\($0)"))
                    }), m("end"))
            try await stage.work(concurrency: 4) {
                try await eventually(within: subject.patience, "all to have failed or be put aside") {
                    let total = try await run.status().total
                    return total.failed > 0 && total.inFlight == 0
                }
            }
            stage.isMended.set()
            _ = try await run.retryFailed(perSecond: 10_000)
            try await stage.work(concurrency: 4) { try await run.wait(timeout: subject.patience) }
            try expectEqual(stage.ran.count, 101, "the number of tasks that ran")
            try expectEqual(Set(stage.ran).count, 101, "the number of different tasks")
            try expectEqual(stage.ran.last, "end", "the last task")
        },
        Promise(
            "what comes of a failed run that is not kept any more becomes a dead letter",
            needs: [.barriers, .runs, .operations]
        ) { subject in
            let stage = try await WorkflowStage(subject, onFailure: .failFast, tracking: .enabled(maxEnded: 0))
            let run = try await stage.start(
                Group(stage.fragile.message("a"), stage.elsewhere("b")), stage.task.message("c"))
            _ = try await stage.workUntilDead(1, queues: [stage.queue])
            let error = try await expectError(WorkflowError.self, "it is not kept") { try await run.status() }
            try expectEqual(error.code, .runUnknown, "the error's code")
            let operations = try unwrap(stage.transport.operations, "operations, as is claimed")
            try await stage.work(queues: [stage.otherQueue]) {
                try await eventually(within: subject.patience, "a dead letter") {
                    try await operations.deadLetterCount(queue: stage.otherQueue) == 1
                }
            }
            let letter = try await operations.deadLetters(queue: stage.otherQueue, offset: 0, limit: 1)[0]
            try expect(letter.reason.contains("not kept any more"), "the reason", saw: letter.reason)
            try expectEqual(stage.ran, [], "the tasks that ran")
        },
        Promise("the policy that is nearest to a task decides", needs: [.barriers, .runs, .operations]) { subject in
            let stage = try await WorkflowStage(subject, onFailure: .failFast)
            let m = stage.task.message
            func started(
                _ policy: WorkflowFailurePolicy?, _ option: WorkflowFailurePolicy?
            ) async throws -> WorkflowRun {
                var fragile = stage.fragile.message("b")
                if let option { fragile.options[WorkflowFailurePolicy.optionName] = option.jsonValue }
                return try await Workflow(
                    Chain(Group(m("a"), fragile), m("end")), failurePolicy: policy, broker: stage.broker
                ).run()
            }
            let runs = [
                try await started(nil, nil), try await started(.halt, nil), try await started(.proceed, nil),
                try await started(.proceed, .failFast), try await started(.halt, .proceed),
                try await started(.failFast, .halt),
            ]
            try await stage.work {
                for run in runs {
                    try await eventually(within: subject.patience, "its task to fail, and no more to come") {
                        let total = try await run.status().total
                        return total.failed == 1 && total.inFlight == 0
                    }
                }
            }
            var states: [RunState] = []
            for run in runs { states.append(try await run.status().run.state) }
            try expectEqual(
                states, [.failed, .running, .succeeded, .failed, .succeeded, .running], "the states of the runs")
            let error = try await expectError(WorkflowError.self, "no workflow can have it") {
                try await started(.notify("somebody"), nil)
            }
            try expectEqual(error.code, .invalidFailurePolicy, "the error's code")
        },
        Promise("a run fails for whatever ends a task for good", needs: [.barriers, .runs, .operations]) { subject in
            struct Skips: BeforeProcessMessage {
                func beforeProcessMessage(_ context: inout MessageContext) async throws {
                    if context.message.options["skip"] == true { throw SkipMessage("It is to be skipped") }
                }
            }
            let stage = try await WorkflowStage(subject, onFailure: .failFast, adding: [Skips()])
            let thrower = TaskActor(
                "thrower", queue: stage.queue, options: [.throws(WorkflowStage.Failure.self), .maxRetries(100)]
            ) { throw WorkflowStage.Failure() }
            let retrier = TaskActor(
                "retrier", queue: stage.queue,
                options: [.maxRetries(2), .minBackoff(.milliseconds(1)), .maxBackoff(.milliseconds(2))]
            ) { throw WorkflowStage.Failure() }
            try await stage.broker.declare(thrower, retrier)
            var (old, skipped, misfit) = (stage.task.message("old"), stage.task.message("s"), stage.task.message("m"))
            old.options["max_age"] = 1
            skipped.options["skip"] = true
            misfit.args = [1, 2, 3]
            let unknown = Message(queueName: stage.queue, actorName: "nobody")
            var runs: [WorkflowRun] = []
            for message in [thrower.message(), retrier.message(), old, skipped, misfit, unknown] {
                runs.append(
                    try await stage.start(Group(Chain(message, stage.task.message("never"))), stage.task.message("end"))
                )
            }
            // Old enough for its limit.
            try await Task.sleep(for: .milliseconds(5))
            try await stage.work {
                for run in runs {
                    let error = try await expectError(WorkflowError.self, "it has failed") {
                        try await run.wait(timeout: subject.patience)
                    }
                    try expectEqual(error.code, .runFailed, "the error's code")
                }
            }
            try expectEqual(stage.ran, [], "the tasks that ran")
        },
    ]
}
