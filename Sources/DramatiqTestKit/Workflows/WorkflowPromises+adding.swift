import Dramatiq
import DramatiqWorkflow

/// Tasks that a running one adds to its workflow.
extension WorkflowPromises {
    static let adding: [Promise<any TransportSubject>] = [
        Promise("what a task adds comes before what waits for the task, wherever it stands") { subject in
            let stage = try await WorkflowStage(subject)
            let growing = try await stage.declareGrowing()
            let m = stage.task.message
            func adds(_ name: String, _ nodes: any WorkflowComponent...) throws -> Message {
                try growing.message(name, nodes.map(\.node))
            }
            try await stage.start(
                try adds("step", m("step 1"), m("step 2")),
                Group(
                    try adds("member", m("member 1"), Chain(m("member 2"), m("member 3"))),
                    Chain(try adds("inner step", Group(m("inner 1"), m("inner 2"))), m("inner end")),
                    Group(m("other"), try adds("inner member", WithDelay(m("late"), delay: .milliseconds(5))))),
                try adds("last", m("end")))
            try await stage.work(until: "end")
            try expectOrder(
                [
                    ["step"], ["step 1", "step 2"], ["member", "inner step", "other", "inner member"], ["last"],
                    ["end"],
                ],
                stage.ran)
            try expectOrder([["member"], ["member 1", "member 2"], ["last"]], stage.ran)
            try expectOrder([["member 2"], ["member 3"], ["last"]], stage.ran)
            try expectOrder([["inner step"], ["inner 1", "inner 2"], ["inner end"], ["last"]], stage.ran)
            try expectOrder([["inner member"], ["late"], ["last"]], stage.ran)
            try expectEqual(stage.ran.count, 16, "the number of tasks that ran")
            try expectEqual(Set(stage.ran).count, 16, "the number of different tasks")
        },
        Promise("a workflow that is a task alone becomes what it adds", needs: [.barriers, .runs]) { subject in
            let stage = try await WorkflowStage(subject)
            let growing = try await stage.declareGrowing()
            let m = stage.task.message
            let other = stage.elsewhere("waits")
            let run = try await stage.start(
                try growing.message("root", [m("1").node, other.node, Chain(m("2"), m("3")).node]))
            try await stage.work(until: "3", queues: [stage.queue])
            let status = try await run.status()
            try expectEqual(status.run.state, .running, "the state while one of them waits")
            try expectEqual(
                [status.total.total, status.total.sent, status.total.succeeded], [5, 5, 4], "the tasks meanwhile")
            try expectEqual(
                status.tasks[stage.task.name]?.total, 4, "the tasks of an actor that its definition has not")
            try await stage.work { try await run.wait(timeout: subject.patience) }
            let end = try await run.status()
            try expectEqual([end.total.total, end.total.sent, end.total.succeeded], [5, 5, 5], "the tasks at the end")
            try expectEqual(end.openBarrierCount, 0, "the barriers that are open")
        },
        Promise("an attempt that fails adds nothing, and the one that succeeds once", needs: [.operations]) { subject in
            let stage = try await WorkflowStage(subject, adding: [CurrentMessage()])
            let m = stage.task.message
            let fickle = TaskActor(
                "fickle", queue: stage.queue, options: [.minBackoff(.milliseconds(1)), .maxBackoff(.milliseconds(2))]
            ) { (name: String, failures: Int) in
                let attempt = 1 + (CurrentMessage.message?.options["retries"]?.intValue ?? 0)
                try WorkflowTask.add { for index in 0..<2 { m("\(name) \(attempt).\(index)") } }
                if attempt <= failures { throw WorkflowStage.Failure() }
            }
            try await stage.broker.declare(fickle)
            let name = UniqueID.make()
            try await stage.start(Group(fickle.message(name, 2), m("a")), m("end"))
            try await stage.work(until: "end")
            try expectEqual(
                stage.ran.sorted(), ["\(name) 3.0", "\(name) 3.1", "a", "end"].sorted(), "what ran, sorted")
            try expectEqual(stage.ran.last, "end", "the last task")
        },
        Promise("copies of a task that adds others add them once", needs: [.barriers]) { subject in
            let stage = try await WorkflowStage(subject)
            let growing = try await stage.declareGrowing()
            let m = stage.task.message
            for place in ["member", "step"] {
                let adder = try growing.message(place, [m("\(place) 1").node, m("\(place) 2").node])
                let run = try await stage.start(
                    place == "member" ? Group(adder, stage.elsewhere("\(place) waits")).node : adder.node,
                    stage.elsewhere("\(place) next"), m("\(place) end"))
                let copy = try await stage.peek()
                try await stage.broker.enqueue([copy, copy, copy])
                try await stage.work(concurrency: 4) {
                    try await stage.expectRun("\(place) end")
                    try await stage.expectRun(place, times: 4)
                    try await stage.settle()
                }
                try await stage.broker.enqueue(copy)
                try await stage.work {
                    try await stage.expectRun(place, times: 5)
                    try await stage.settle()
                }
                for name in ["\(place) 1", "\(place) 2", "\(place) next", "\(place) end"] {
                    try expectEqual(stage.log.count(name), 1, "how often \(name) ran")
                }
                if subject.claims.contains(.runs) {
                    let end = try await run.wait(timeout: subject.patience)
                    try expectEqual(end.total.total, end.total.succeeded, "the tasks that were counted")
                }
            }
        },
        Promise("members that add members in turn take no more room for that", needs: [.barriers]) { subject in
            let stage = try await WorkflowStage(subject, adding: [CurrentMessage()])
            let sizes = RunLog()
            let m = stage.task.message
            let queue = stage.queue
            let page = TaskActor("page", queue: queue, options: []) { (number: Int) in
                sizes.add(
                    "\(CurrentMessage.message?.options[WorkflowMiddleware.callbacksOption]?.encoded().count ?? 0)")
                try WorkflowTask.add {
                    m("item \(number)")
                    if number < 39 { Message(queueName: queue, actorName: "page", args: [.integer(number + 1)]) }
                }
            }
            try await stage.broker.declare(page)
            try await stage.start(Group(page.message(10), m("a")), m("end"))
            try await stage.work(until: "end")
            try expectEqual(sizes.names.count, 30, "the number of pages")
            try expectEqual(Set(sizes.names).count, 1, "the number of different sizes")
            try expectEqual(stage.ran.count, 32, "the number of tasks that ran")
            try expectEqual(stage.ran.last, "end", "the last task")
        },
        Promise("what a task of a cancelled run adds doesn't start", needs: [.barriers, .runs]) { subject in
            let stage = try await WorkflowStage(subject)
            let m = stage.task.message
            let (begun, cancelled) = (Signal(), Signal())
            let slow = TaskActor("slow", queue: stage.queue) { (_: String) in
                begun.signal()
                // It is cancelled with the run, and doesn't heed it.
                try await uncancelled { await cancelled.wait() }
                try WorkflowTask.add(m("added"))
            }
            try await stage.broker.declare(slow)
            let run = try await stage.start(Group(slow.message("a"), stage.elsewhere("b")), m("end"))
            try await stage.work(queues: [stage.queue]) {
                await begun.wait()
                try await run.cancel()
                cancelled.signal()
                try await stage.settle()
            }
            try await stage.work { try await stage.settle() }
            try expectEqual(stage.ran, [], "the tasks that ran")
            let total = try await run.status().total
            try expectEqual(total.inFlight, 0, "the tasks in flight")
        },
        Promise("tasks can be added to a workflow by its tasks only, while they run") { subject in
            let stage = try await WorkflowStage(subject)
            let m = stage.task.message
            let errors = RunLog()
            let (done, heard) = (Signal(), Signal())
            let late = TaskActor("late", queue: stage.queue) { (_: String) in
                Task {
                    await done.wait()
                    do {
                        try WorkflowTask.add(m("too late"))
                    } catch {
                        errors.add("\((error as? WorkflowError)?.code.description ?? "\(error)")")
                    }
                    heard.signal()
                }
            }
            try await stage.broker.declare(late)
            let error = try await expectError(WorkflowError.self, "nobody runs") { try WorkflowTask.add(m("nobody")) }
            try expectEqual(error.code, .notInTask, "the error's code")
            try await stage.start(late.message("a"), m("end"))
            try await stage.work(until: "end")
            done.signal()
            await heard.wait()
            try expectEqual(errors.names, ["notInTask"], "the errors of one that comes too late")
            try expectEqual(stage.ran, ["end"], "the tasks that ran")
        },
    ]
}

extension WorkflowStage {
    /// Declares an actor that adds what its message says.
    fileprivate func declareGrowing() async throws -> Growing {
        let log = log
        let actor = TaskActor("growing", queue: queue) { (name: String, nodes: [JSONValue]) in
            log.add(name)
            let nodes = try nodes.map { try WorkflowNode($0) }
            try WorkflowTask.add { for node in nodes { node } }
        }
        try await broker.declare(actor)
        return Growing(actor: actor)
    }
}

private struct Growing {
    let actor: TaskActor<String, [JSONValue], Void>

    func message(_ name: String, _ nodes: [WorkflowNode]) throws -> Message {
        actor.message(name, try nodes.map { try $0.jsonValue })
    }
}
