import Dramatiq
import DramatiqWorkflow
import Synchronization

/// What a run does that is paused, goes on or is cancelled.
extension WorkflowPromises {
    static let stopping: [Promise<any TransportSubject>] = [
        Promise(
            "of a run that was cancelled nothing starts, and all that was sent is counted", needs: [.barriers, .runs]
        ) {
            subject in
            let stage = try await WorkflowStage(subject)
            let m = stage.task.message
            let run = try await stage.start(
                Group(
                    children: (0..<20).map { .message(m("\($0)")) }
                        + [WithDelay(.milliseconds(20)) { m("delayed") }.node, Chain(m("first"), m("second")).node]),
                m("end"))
            let other = try await stage.start(m("other"))
            let stop = try await run.cancel()
            try expectEqual(stop.state, .cancelled, "the state")
            try expectEqual(stop.unconfirmedWorkers, [], "the workers that have not confirmed")
            try await stage.work {
                try await other.wait(timeout: subject.patience)
                try await eventually(within: subject.patience, "all of it to be dropped") {
                    try await run.status().total.inFlight == 0
                }
            }
            try expectEqual(stage.ran, ["other"], "the tasks that ran")
            let error = try await expectError(WorkflowError.self, "it was cancelled") { try await run.wait() }
            try expectEqual(error.code, .runCancelled, "the error's code")
            let total = try unwrap(error.status, "its status").total
            try expectEqual([total.sent, total.skipped, total.succeeded, total.held], [22, 22, 0, 0], "the tasks")
            try expectEqual(try await run.status().openBarrierCount, 0, "the open barriers")
            try expectEqual(try await stage.listed(.cancelled), [run.id], "the runs that are listed as cancelled")
            try expectEqual(try await stage.listed(.running), [], "the runs that are listed as running")
        },
        Promise(
            "an actor of a run that is cancelled is told, and its task doesn't count against anybody",
            needs: [.barriers, .runs, .operations]
        ) { subject in
            let stage = try await WorkflowStage(subject)
            let begun = Mutex(0)
            let patient = TaskActor("patient", queue: stage.queue) { (name: String) in
                begun.withLock { $0 += 1 }
                try await Task.sleep(for: .seconds(3600))
                stage.log.add(name)
            }
            let stubborn = TaskActor("stubborn", queue: stage.queue) { (name: String) in
                begun.withLock { $0 += 1 }
                try? await Task.sleep(for: .seconds(3600))
                stage.log.add(name)
            }
            try await stage.broker.declare(patient, stubborn)
            let m = stage.task.message
            let run = try await stage.start(
                Group(Chain(patient.message("a"), m("b")), Chain(stubborn.message("c"), m("d"))), m("e"))
            try await stage.work {
                try await eventually(within: subject.patience, "both to begin") { begun.withLock(\.self) == 2 }
                try await run.cancel()
                try await eventually(within: subject.patience, "both to end, and what follows to be dropped") {
                    let total = try await run.status().total
                    return total.sent == 3 && total.inFlight == 0
                }
                try await stage.settle()
            }
            try expectEqual(stage.ran, ["c"], "the tasks that ran")
            let total = try await run.status().total
            try expectEqual([total.succeeded, total.skipped, total.failed], [1, 2, 0], "the tasks")
            try expectEqual(try await stage.deadLetters().count, 0, "the dead letters")
        },
        Promise("actors of a run that is cancelled are told in all workers of a program", needs: [.barriers, .runs]) {
            subject in
            let stage = try await WorkflowStage(subject)
            let begun = Mutex(0)
            let patient = TaskActor("patient", queue: stage.queue) { (name: String) in
                begun.withLock { $0 += 1 }
                try await Task.sleep(for: .seconds(3600))
                stage.log.add(name)
            }
            try await stage.broker.declare(patient)
            let run = try await stage.start(Group(patient.message("a"), patient.message("b"), patient.message("c")))
            try await stage.work(concurrency: 1, prefetch: 1) {
                try await stage.work(concurrency: 1, prefetch: 1) {
                    try await stage.work(concurrency: 1, prefetch: 1) {
                        try await eventually(within: subject.patience, "all to begin") { begun.withLock(\.self) == 3 }
                        try await run.cancel()
                        try await eventually(within: subject.patience, "all to end") {
                            try await run.status().total.skipped == 3
                        }
                    }
                }
            }
        },
        Promise("a run that is paused stands still and goes on from there", needs: [.barriers, .runs]) { subject in
            let stage = try await WorkflowStage(subject)
            let m = stage.task.message
            let run = try await stage.start(
                m("first"), Group(m("a"), Chain(m("b"), m("c")), WithDelay(.milliseconds(20)) { m("d") }), m("end"))
            try expectEqual(try await run.pause().state, .paused, "the state")
            try expectEqual(try await run.pause().state, .paused, "the state once more")
            try expectEqual(try await stage.listed(.paused), [run.id], "the runs that are listed as paused")
            try await stage.work {
                try await eventually(within: subject.patience, "a message to be put aside") {
                    try await run.status().total.held == 1
                }
                try await stage.settle()
                try expectEqual(stage.ran, [], "the tasks that ran while it was paused")
                let total = try await run.status().total
                try expectEqual([total.sent, total.inFlight, total.held], [1, 0, 1], "the tasks")
                try expectEqual(try await run.resume(), 1, "the messages that went back")
                try expectEqual(try await run.resume(), 0, "the messages that went back once more")
                try await run.wait(timeout: subject.patience)
            }
            try expectEqual(stage.ran.sorted(), ["a", "b", "c", "d", "end", "first"], "the tasks that ran, sorted")
            try expectOrder([["first"], ["a", "b", "d"], ["end"]], stage.ran)
            try expectEqual(try await stage.listed(.paused), [], "the runs that are listed as paused, later")
            try expectEqual(try await stage.listed(.succeeded), [run.id], "the runs that have succeeded")
        },
        Promise("pausing uses up neither a message's retries nor its time", needs: [.barriers, .runs]) { subject in
            let stage = try await WorkflowStage(subject)
            var message = stage.elsewhere("a")
            message.options["retries"] = 2
            message.options["max_age"] = 3_600_000
            let run = try await stage.start(message)
            let before = try await stage.peek(queue: stage.otherQueue)
            try await run.pause()
            try await stage.work(queues: [stage.otherQueue]) {
                try await eventually(within: subject.patience, "the message to be put aside") {
                    try await run.status().total.held == 1
                }
            }
            let held = ContinuousClock.now
            try await Task.sleep(for: .milliseconds(50))
            let time = held.duration(to: .now)
            try await run.resume()
            let after = try await stage.peek(queue: stage.otherQueue)
            try expectEqual(after.messageID, before.messageID, "the message")
            try expectEqual(after.options["retries"], 2, "its retries")
            try expectEqual(
                after.options[WorkflowMiddleware.callbacksOption], before.options[WorkflowMiddleware.callbacksOption],
                "its callbacks")
            let later = after.messageTimestamp.milliseconds - before.messageTimestamp.milliseconds
            // The clocks are two, and count in milliseconds.
            try expect(
                later >= Double(time / .milliseconds(1)) - 10, "it is younger by the time of the pause", saw: "\(later)"
            )
            try await stage.work { try await run.wait(timeout: subject.patience) }
        },
        Promise("a run that is paused ends if nothing of it is left, and can be cancelled", needs: [.barriers, .runs]) {
            subject in
            let stage = try await WorkflowStage(subject)
            let begun = Mutex(false)
            let goesOn = Mutex(false)
            let waiting = TaskActor("waiting", queue: stage.queue) { (name: String) in
                begun.withLock { $0 = true }
                while !goesOn.withLock(\.self) { try await Task.sleep(for: .milliseconds(2)) }
                stage.log.add(name)
            }
            try await stage.broker.declare(waiting)
            let m = stage.task.message
            let ending = try await stage.start(waiting.message("last"))
            let cancelled = try await stage.start(Group(m("a"), m("b")), m("c"))
            try await cancelled.pause()
            try await stage.work {
                try await eventually(within: subject.patience, "it to begin") { begun.withLock(\.self) }
                try await ending.pause()
                try expectEqual(try await ending.status().run.state, .paused, "the state")
                goesOn.withLock { $0 = true }
                try expectEqual(try await ending.wait(timeout: subject.patience).run.state, .succeeded, "its end")
                try await eventually(within: subject.patience, "both to be put aside") {
                    try await cancelled.status().total.held == 2
                }
                try expectEqual(try await cancelled.cancel().state, .cancelled, "the state of the other one")
                let total = try await cancelled.status().total
                try expectEqual([total.held, total.skipped, total.inFlight], [0, 2, 0], "its tasks")
                try expectEqual(try await cancelled.resume(), 0, "what goes back of a run that was cancelled")
                try await stage.settle()
            }
            try expectEqual(stage.ran, ["last"], "the tasks that ran")
            // Neither changes any more.
            try expectEqual(try await ending.cancel().state, .succeeded, "the state of a run that has ended")
            try expectEqual(try await ending.pause().state, .succeeded, "its state once more")
            try expectEqual(try await cancelled.pause().state, .cancelled, "the state of one that was cancelled")
            try expectEqual(try await cancelled.cancel().state, .cancelled, "its state once more")
            for stop in [WorkflowRun.cancelled, WorkflowRun.paused, WorkflowRun.resumed] {
                let error = try await expectError(WorkflowError.self, "nobody knows of it") {
                    try await stop(WorkflowRun(id: "nothing:run", broker: stage.broker))
                }
                try expectEqual(error.code, .runUnknown, "the error's code")
            }
        },
        Promise("a run that is paused and resumed over and over runs each task once", needs: [.barriers, .runs]) {
            subject in
            let stage = try await WorkflowStage(subject)
            let m = stage.task.message
            let run = try await stage.start(
                Group(children: (0..<200).map { .chain([.message(m("\($0).1")), .message(m("\($0).2"))]) }), m("end"))
            let other = try await stage.start(Group(children: (0..<50).map { .message(m("other \($0)")) }))
            try await stage.work(concurrency: 4) {
                for _ in 0..<8 {
                    try await run.pause()
                    let count = stage.ran.count { !$0.hasPrefix("other") }
                    try await Task.sleep(for: .milliseconds(3))
                    // Those that had begun may have come to their end.
                    try expect(
                        stage.ran.count { !$0.hasPrefix("other") } <= count + 4, "nothing starts while it is paused",
                        saw: "\(stage.ran.count)")
                    try await stage.broker.workflowRuns(state: .paused).resume(perSecond: 100_000)
                }
                try await run.wait(timeout: subject.patience)
                try await other.wait(timeout: subject.patience)
            }
            try expectEqual(stage.ran.count, 451, "the number of tasks that ran")
            try expectEqual(Set(stage.ran).count, 451, "the number of different tasks")
            try expectEqual(stage.ran.last { !$0.hasPrefix("other") }, "end", "the last task")
            let total = try await run.status().total
            try expectEqual([total.sent, total.succeeded, total.held, total.skipped], [401, 401, 0, 0], "the tasks")
        },
    ]
}

extension WorkflowRun {
    fileprivate static let cancelled: @Sendable (WorkflowRun) async throws -> Void = { _ = try await $0.cancel() }
    fileprivate static let paused: @Sendable (WorkflowRun) async throws -> Void = { _ = try await $0.pause() }
    fileprivate static let resumed: @Sendable (WorkflowRun) async throws -> Void = { _ = try await $0.resume() }
}

extension WorkflowStage {
    /// The ids of the runs in a state.
    func listed(_ state: RunState) async throws -> [String] {
        var ids: [String] = []
        for try await run in broker.workflowRuns(state: state) { ids.append(run.id) }
        return ids
    }
}
