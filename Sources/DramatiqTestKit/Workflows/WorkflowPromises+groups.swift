import Dramatiq
import DramatiqWorkflow

/// Groups that decide what becomes of them when a task in them fails, and that say how they have ended.
extension WorkflowPromises {
    /// Members of which three fail: a task, the first step of a chain, and a task deep inside, where others go on.
    private static func members(_ stage: WorkflowStage, _ name: String) -> [any WorkflowComponent] {
        let (m, f) = (stage.task.message, stage.fragile.message)
        return [
            m("\(name) ok"), f("\(name) bad"), Chain(f("\(name) first"), m("\(name) after first")),
            Chain(
                Group(m("\(name) beside"), Chain(f("\(name) inner"), m("\(name) after inner"))),
                m("\(name) after group")),
            Chain(m("\(name) 1"), m("\(name) 2")),
        ]
    }

    private static func nodes(_ components: [any WorkflowComponent]) -> [WorkflowNode] { components.map(\.node) }

    static let groups: [Promise<any TransportSubject>] = [
        Promise(
            "the policy of the innermost group around a task decides", needs: [.barriers, .runs, .operations]
        ) { subject in
            let stage = try await WorkflowStage(subject, onFailure: .failFast)
            let m = stage.task.message
            func started(
                _ whole: WorkflowFailurePolicy?, _ outer: WorkflowFailurePolicy?, _ inner: WorkflowFailurePolicy?,
                _ option: WorkflowFailurePolicy? = nil
            ) async throws -> WorkflowRun {
                var fragile = stage.fragile.message("x")
                if let option { fragile.options[WorkflowFailurePolicy.optionName] = option.jsonValue }
                return try await Workflow(
                    // The second group is started by a worker.
                    Chain(
                        m("first"),
                        Group(
                            Chain(m("a"), Group(m("b"), Chain(fragile, m("c")), failurePolicy: inner), m("d")), m("e"),
                            failurePolicy: outer),
                        m("end")),
                    failurePolicy: whole, broker: stage.broker
                ).run()
            }
            let cases: [(WorkflowRun, RunState)] = [
                (try await started(nil, nil, .proceed), .succeeded),
                (try await started(nil, .proceed, nil), .succeeded),
                (try await started(nil, .proceed, .halt), .running),
                (try await started(.proceed, .halt, .failFast), .failed),
                (try await started(.proceed, .failFast, nil), .failed),
                (try await started(.halt, .failFast, .proceed), .succeeded),
                (try await started(nil, .halt, nil), .running),
                (try await started(nil, .halt, .failFast, .proceed), .succeeded),
                (try await started(nil, .failFast, .collect(minimum: 1)), .succeeded),
                (try await started(.halt, .collect(minimum: 2), .collect(minimum: 2)), .running),
                (try await started(.failFast, .collect(minimum: 1), .collect(minimum: 2)), .succeeded),
                (try await started(.failFast, .collect(minimum: 2), .collect(minimum: 2)), .failed),
                (try await started(.halt, .proceed, .collect(minimum: 2)), .succeeded),
            ]
            for (index, (run, state)) in cases.enumerated() {
                try await stage.work {
                    try await eventually(within: subject.patience, "its task to fail, and no more to come in \(index)")
                    {
                        let total = try await run.status().total
                        return total.failed == 1 && total.inFlight == 0
                    }
                }
                try expectEqual(try await run.status().run.state, state, "the state of case \(index)")
            }
        },
        Promise(
            "a group with a minimum goes on once all of its members have ended, and enough have succeeded",
            needs: [.barriers, .runs, .operations]
        ) { subject in
            let stage = try await WorkflowStage(subject, onFailure: .failFast)
            let m = stage.task.message
            for place in ["first", "later"] {
                let group = Group(children: nodes(members(stage, place)), failurePolicy: .collect(minimum: 2))
                let run = try await stage.start(
                    place == "first" ? group.node : Chain(m("before"), group).node, m("\(place) end"))
                try await stage.work { try await run.wait(timeout: subject.patience) }
                try await stage.work { try await stage.settle() }
                try expectEqual(
                    stage.ran.filter { $0.hasPrefix(place) }.sorted(),
                    ["1", "2", "beside", "end", "ok"].map { "\(place) \($0)" }, "the tasks that ran, sorted")
                let status = try await run.status()
                try expectEqual([status.failureCount, status.total.failed], [3, 3], "the tasks that have failed")
                try expectOrder([["\(place) ok", "\(place) 2"], ["\(place) end"]], stage.ran)
            }
            try expectEqual(try await stage.deadLetters().count, 6, "the dead letters")
        },
        Promise(
            "a group with too few successes fails the run, which goes on from there when it is retried",
            needs: [.barriers, .runs, .operations]
        ) { subject in
            for nested in [false, true] {
                let stage = try await WorkflowStage(subject, onFailure: .failFast)
                let m = stage.task.message
                var group = Group(children: nodes(members(stage, "m")), failurePolicy: .collect(minimum: 3))
                if nested {
                    group = Group(
                        m("outer"), Chain(m("before"), group, m("behind")), failurePolicy: .collect(minimum: 2))
                }
                let run = try await stage.start(group, m("end"))
                try await stage.work {
                    let error = try await expectError(WorkflowError.self, "it has failed") {
                        try await run.wait(timeout: subject.patience)
                    }
                    try expectEqual(error.code, .runFailed, "the error's code")
                    try await stage.settle()
                }
                var expected = ["m 1", "m 2", "m beside", "m ok"]
                if nested { expected = ["before"] + expected + ["outer"] }
                try expectEqual(stage.ran.sorted(), expected, "the tasks that ran, sorted")
                stage.isMended.set()
                try expectEqual(try await run.retryFailed(), 3, "the messages that went back")
                try await stage.work {
                    try await run.wait(timeout: subject.patience)
                    try await stage.settle()
                }
                expected += [
                    "m after first", "m after group", "m after inner", "m bad", "m first", "m inner", "end",
                ]
                if nested { expected += ["behind"] }
                try expectEqual(stage.ran.sorted(), expected.sorted(), "the tasks that ran in the end, sorted")
                try expectEqual(stage.ran.last, "end", "the last task")
                try expectOrder([["m first"], ["m after first"], ["end"]], stage.ran)
                try expectOrder([["m inner"], ["m after inner"], ["m after group"], ["end"]], stage.ran)
                let status = try await run.status()
                try expectEqual([status.failureCount, status.total.failed], [0, 0], "the failures in the end")
            }
        },
        Promise(
            "a member that has failed and is requeued by hand starts nothing before all others have come",
            needs: [.barriers, .runs, .operations]
        ) { subject in
            let stage = try await WorkflowStage(subject, onFailure: .failFast)
            let m = stage.task.message
            let run = try await stage.start(
                Group(
                    children: nodes(members(stage, "m")) + [stage.elsewhere("waits").node],
                    failurePolicy: .collect(minimum: 1)), m("end"))
            let letters = try await stage.workUntilDead(3, queues: [stage.queue])
            stage.isMended.set()
            for letter in letters { try await stage.requeue(letter) }
            try await stage.work(queues: [stage.queue]) {
                try await stage.expectRun("m inner")
                try await stage.expectRun("m first")
                try await stage.expectRun("m bad")
                try await stage.settle()
            }
            try expectEqual(stage.log.count("end"), 0, "how often the end ran while a member waits")
            try await stage.work { try await run.wait(timeout: subject.patience) }
            try await stage.work { try await stage.settle() }
            try expectEqual(stage.log.count("end"), 1, "how often the end ran")
            try expectEqual(stage.ran.last, "end", "the last task")
        },
        Promise("what members add counts as members of a group with a minimum", needs: [.barriers, .runs]) { subject in
            let stage = try await WorkflowStage(subject, onFailure: .failFast)
            let (m, f) = (stage.task.message, stage.fragile.message)
            let queue = stage.queue
            let adder = TaskActor("adder", queue: queue) { (bad: Int) in
                for index in 0..<4 { try WorkflowTask.add(index < bad ? f("bad \(index)") : m("ok \(index)")) }
            }
            try await stage.broker.declare(adder)
            for (bad, state) in [(3, RunState.succeeded), (4, .failed)] {
                let run = try await stage.start(
                    Group(adder.message(bad), m("a"), f("x"), failurePolicy: .collect(minimum: 3)), m("end"))
                try await stage.work {
                    try await eventually(within: subject.patience, "it to end") {
                        try await run.status().run.state == state
                    }
                    try await stage.settle()
                }
            }
            try expectEqual(stage.log.count("end"), 1, "how often the end ran")
        },
        Promise("copies of a member that fails count once", needs: [.barriers, .runs, .operations]) { subject in
            let stage = try await WorkflowStage(subject, onFailure: .failFast)
            let (m, f) = (stage.task.message, stage.fragile.message)
            let run = try await stage.start(
                Group(f("x"), Chain(f("y"), m("z")), stage.elsewhere("waits"), failurePolicy: .collect(minimum: 1)),
                m("end"))
            let first = try await stage.peek()
            try await stage.broker.enqueue([first, first, first])
            _ = try await stage.workUntilDead(5, queues: [stage.queue])
            try expectEqual(stage.ran, [], "the tasks that ran while a member waits")
            try expectEqual(try await run.status().total.failed, 2, "the tasks that have failed")
            try await stage.work { try await run.wait(timeout: subject.patience) }
            try await stage.work { try await stage.settle() }
            try expectEqual(stage.ran.sorted(), ["end", "waits"], "the tasks that ran, sorted")
        },
        Promise(
            "a group that ends says so once, with the failures in it", needs: [.barriers, .runs, .operations]
        ) { subject in
            let (stage, told, reports) = try await told(subject)
            let (m, f) = (stage.task.message, stage.fragile.message)
            func group(
                _ name: String, _ policy: WorkflowFailurePolicy?, _ parts: any WorkflowComponent...
            ) -> WorkflowNode {
                Group(
                    children: parts.map(\.node), failurePolicy: policy, onSuccess: told.message("\(name) success"),
                    onFailure: told.message("\(name) failure"), onEnd: told.message("\(name) end")
                ).node
            }
            func expectTold(_ run: WorkflowRun, _ state: RunState, _ names: [String]) async throws {
                let before = reports.names.count
                try await stage.work(concurrency: 4) {
                    try await eventually(within: subject.patience, "the run to come to \(state)") {
                        let status = try await run.status()
                        return status.run.state == state && status.total.inFlight == 0
                    }
                    try await eventually(within: subject.patience, "\(names) to be told") {
                        reports.names.count >= before + names.count
                    }
                    try await stage.settle()
                }
                try expectEqual(reports.names.dropFirst(before).sorted(), names.sorted(), "who was told")
            }

            var run = try await stage.start(
                group("a", nil, m("1"), Chain(m("2"), group("b", .proceed, m("3"), f("4")))), m("5"))
            try await expectTold(run, .succeeded, ["a end", "a success", "b end", "b success"])
            for (name, count) in [("a success", 1), ("b end", 1)] {
                let report = try unwrap(reports.report(name), "a report")
                try expectEqual([report.runID, report.state], [run.id, "succeeded"], "the run, and what it was")
                try expectEqual(report.failureCount, count, "the failures of \(name)")
            }

            run = try await stage.start(
                group("c", nil, m("6"), group("d", .collect(minimum: 2), m("7"), f("8"), f("9"))), m("10"))
            try await expectTold(run, .failed, ["c end", "c failure", "d end", "d failure"])
            let report = try unwrap(reports.report("d failure"), "a report")
            try expectEqual([report.state, "\(report.failureCount)"], ["failed", "2"], "what it was")
            try expectEqual(report.failures.map(\.actorName), ["fragile", "fragile"], "who has failed")

            let other = try await stage.start(
                group("e", .collect(minimum: 1), group("g", nil, m("11"), f("12")), m("13")), m("14"))
            try await expectTold(other, .succeeded, ["e end", "e success"])

            stage.isMended.set()
            try await run.retryFailed()
            try await expectTold(run, .succeeded, ["c end", "c success", "d end", "d success"])
            try expectEqual(stage.log.count("10"), 1, "how often what follows ran")
        },
        Promise("an empty group says that it has ended, wherever it is", needs: [.barriers, .runs]) { subject in
            let (stage, told, reports) = try await told(subject)
            let m = stage.task.message
            func empty(_ name: String, _ parts: any WorkflowComponent...) -> Group {
                Group(
                    children: parts.map(\.node), failurePolicy: .collect(minimum: 0),
                    onSuccess: told.message("\(name) success"), onFailure: told.message("\(name) failure"),
                    onEnd: told.message("\(name) end"))
            }
            let cases: [(names: [String], ran: [String], whole: WorkflowNode)] = [
                (["a"], [], empty("a").node),
                (["b"], ["1", "2"], Chain(m("1"), empty("b"), m("2")).node),
                (["c"], ["3"], Chain(empty("c", Chain(), Group(Group(), Chain())), m("3")).node),
                (["d", "e"], ["4"], Chain(empty("d", empty("e"), Chain()), m("4")).node),
                (["f"], ["5"], Group(m("5"), WithDelay(Chain(empty("f")), delay: .milliseconds(1))).node),
            ]
            for (names, ran, whole) in cases {
                let before = (told: reports.names.count, ran: stage.ran.count)
                let run = try await stage.start(whole)
                try await stage.work {
                    try await run.wait(timeout: subject.patience)
                    try await eventually(within: subject.patience, "\(names) to be told") {
                        reports.names.count >= before.told + 2 * names.count
                    }
                    try await stage.settle()
                }
                try expectEqual(
                    reports.names.dropFirst(before.told).sorted(),
                    names.flatMap { ["\($0) end", "\($0) success"] }.sorted(), "who was told")
                try expectEqual(stage.ran.dropFirst(before.ran).sorted(), ran, "the tasks that ran")
            }
        },
        Promise("what a group can't have is refused", needs: [.barriers, .runs]) { subject in
            let stage = try await WorkflowStage(subject)
            let untracked = try await WorkflowStage(subject, tracking: .disabled)
            let m = stage.task.message
            let cases: [(Broker, Group, WorkflowError.Code)] = [
                (stage.broker, Group(m("a"), failurePolicy: .notify("x")), .invalidFailurePolicy),
                (stage.broker, Group(m("a"), failurePolicy: .collect(minimum: 2)), .invalidFailurePolicy),
                (stage.broker, Group(m("a"), failurePolicy: .collect(minimum: -1)), .invalidFailurePolicy),
                (untracked.broker, Group(m("a"), failurePolicy: .proceed), .invalidFailurePolicy),
                (untracked.broker, Group(m("a"), onEnd: m("b")), .invalidRunCallbacks),
                (stage.broker, Group(m("a"), onEnd: m(String(repeating: "x", count: 70_000))), .invalidRunCallbacks),
            ]
            for (broker, group, code) in cases {
                let error = try await expectError(WorkflowError.self, "it can't have it") {
                    try await Workflow(Chain(m("1"), Group(group, m("2"))), broker: broker).run()
                }
                try expectEqual(error.code, code, "the error's code")
            }
            let error = try await expectError(WorkflowError.self, "no workflow can have it") {
                try await Workflow(m("1"), failurePolicy: .collect(minimum: 0), broker: stage.broker).run()
            }
            try expectEqual(error.code, .invalidFailurePolicy, "the error's code")
        },
    ]
}
