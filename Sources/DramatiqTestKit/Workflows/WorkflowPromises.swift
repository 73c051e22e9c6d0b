import Dramatiq
import DramatiqWorkflow

/// What workflows promise over a transport and a store, in the same place or apart: nothing is lost, nothing starts too
/// early, whatever goes wrong. Where commits include the barriers, nothing runs twice either, unless a worker dies.
public enum WorkflowPromises {
    public static var all: [Promise<any TransportSubject>] {
        runs + lifetimes + arrivals + steps + storages + failures + tracking + drawing + stopping + failing + callbacks
            + results + adding + groups
    }

    static let runs: [Promise<any TransportSubject>] = [
        Promise("a workflow runs to its end, each task once and after those before it") { subject in
            let stage = try await WorkflowStage(subject)
            let m = stage.task.message
            try await stage.start(
                m("1"),
                Group(
                    Chain(m("2"), m("5")), m("3"),
                    Chain(m("4"), Group(m("6"), WithDelay(.milliseconds(20)) { m("7") }))),
                m("8"))
            try await stage.work(until: "8")
            try expectEqual(stage.ran.sorted(), (1...8).map { "\($0)" }, "the tasks that ran, sorted")
            try expectOrder([["1"], ["2", "3", "4"], ["8"]], stage.ran)
            try expectOrder([["2"], ["5"], ["8"]], stage.ran)
            try expectOrder([["4"], ["6", "7"], ["8"]], stage.ran)
        },
        Promise("a large group starts what follows once") { subject in
            let stage = try await WorkflowStage(subject)
            let m = stage.task.message
            try await stage.start(
                Group(children: (0..<300).map { .message(m("member \($0)")) }), m("end"))
            try await stage.work(until: "end")
            try expectEqual(stage.ran.count, 301, "the number of tasks that ran")
            try expectEqual(stage.ran.last, "end", "the last task")
            try expectEqual(Set(stage.ran).count, 301, "the number of different tasks")
        },
        Promise("a workflow whose start is refused starts nothing, and can be started again", needs: [.refusedSteps]) {
            subject in
            let stage = try await WorkflowStage(subject)
            let m = stage.task.message
            for step in 0..<3 {
                subject.faults.inject(.refuse, at: step)
                let names = ["\(step).a", "\(step).b", "\(step).c"]
                let workflow = Workflow(Chain(Group(m(names[0]), m(names[1])), m(names[2])), broker: stage.broker)
                // A transport with patience repeats it by itself.
                do { try await workflow.run() } catch is any TransientError { try await workflow.run() }
                subject.faults.clear()
                try await stage.work(until: names[2])
                for name in names { try expectEqual(stage.log.count(name), 1, "the number of times that \(name) ran") }
            }
        },
    ]

    /// A: arrivals that cut a barrier's life, and barriers that are gone and look complete.
    static let lifetimes: [Promise<any TransportSubject>] = [
        Promise("a barrier lives for as long as something can still arrive at it", needs: [.passingTime]) { subject in
            let stage = try await WorkflowStage(
                subject, barrierTTL: subject.lifetime, longestWait: subject.lifetime * 2)
            try await stage.start(Group(stage.task.message("a"), stage.elsewhere("b")), stage.task.message("end"))
            try await stage.work(until: "a", queues: [stage.queue])
            // Longer than a barrier is kept beyond the wait.
            try await subject.letPass(subject.lifetime * 3 / 2)
            try await stage.work(until: "end")
            try expectEqual(stage.ran, ["a", "b", "end"], "the tasks that ran")
        },
        Promise(
            "a barrier that is gone keeps its messages as dead letters and starts nothing",
            needs: [.forgetting, .operations]
        ) { subject in
            let stage = try await WorkflowStage(subject)
            let m = stage.task.message
            try await stage.start(Group(m("a"), m("b")), m("end"))
            try await subject.forget()
            let letters = try await stage.workUntilDead(2)
            try expectEqual(stage.ran.sorted(), ["a", "b"], "the tasks that ran, sorted")
            for letter in letters {
                try expect(
                    letter.reason.contains("is not in the backend"), "the lost barrier as the reason",
                    saw: letter.reason)
            }
        },
    ]

    /// B: messages that are delivered again and count twice.
    static let arrivals: [Promise<any TransportSubject>] = [
        Promise("a member that is delivered again doesn't count again") { subject in
            let stage = try await WorkflowStage(subject)
            try await stage.start(Group(stage.task.message("a"), stage.elsewhere("b")), stage.task.message("end"))
            let copy = try await stage.peek()
            try await stage.broker.enqueue([copy, copy, copy])
            try await stage.work(queues: [stage.queue]) {
                try await stage.expectRun("a", times: 4)
                try await stage.settle()
            }
            try expectEqual(stage.ran, ["a", "a", "a", "a"], "the tasks that ran while a member was missing")
            try await stage.work(until: "end")
            // One that comes after the release starts nothing again either.
            try await stage.broker.enqueue(copy)
            try await stage.work {
                try await stage.expectRun("a", times: 5)
                try await stage.settle()
            }
            try expectEqual(stage.ran, ["a", "a", "a", "a", "b", "end", "a"], "the tasks that ran")
        },
        Promise("copies that finish a step at the same time start the next one once", needs: [.barriers]) { subject in
            let stage = try await WorkflowStage(subject)
            let m = stage.task.message
            try await stage.start(m("a"), Group(m("b"), m("c")), m("end"))
            let copy = try await stage.peek()
            try await stage.broker.enqueue(Array(repeating: copy, count: 20))
            try await stage.work(concurrency: 8) {
                try await stage.expectRun("end")
                try await stage.expectRun("a", times: 21)
                try await stage.settle()
            }
            try expectEqual(stage.ran.filter { $0 != "a" }.sorted(), ["b", "c", "end"], "the other tasks that ran")
        },
    ]

    /// D: storages that fail, in silence.
    static let storages: [Promise<any TransportSubject>] = [
        Promise("a storage that fails for a while is tried again") { subject in
            let storage = FailingStorage()
            let stage = try await WorkflowStage(subject, storage: storage)
            let m = stage.task.message
            try await stage.start(m("a"), Group(m("b"), m("c")), m("end"))
            storage.fail(times: 2)
            try await stage.work(until: "end")
            try expectEqual(stage.ran.sorted(), ["a", "b", "c", "end"], "the tasks that ran, sorted")
        },
        Promise(
            "a storage that fails for good keeps the message, and requeued it goes on", needs: [.operations]
        ) { subject in
            let storage = FailingStorage()
            let stage = try await WorkflowStage(subject, storage: storage)
            let m = stage.task.message
            try await stage.start(m("a"), Group(m("b"), m("c")), m("end"))
            storage.fail(times: .max)
            let letter = try await stage.workUntilDead(1)[0]
            try expectEqual(stage.ran, ["a"], "the tasks that ran without the storage")
            try expect(
                letter.reason.contains("\(FailingStorage.Broken())"), "the storage's error as the reason",
                saw: letter.reason)
            storage.fail(times: 0)
            try await stage.requeue(letter)
            try await stage.work(until: "end")
            try expectEqual(stage.ran.sorted(), ["a", "a", "b", "c", "end"], "the tasks that ran, sorted")
        },
    ]

    /// E: tasks that fail for good, and workflows that hang in silence.
    static let failures: [Promise<any TransportSubject>] = [
        Promise("a task that fails for good halts its workflow until it is requeued", needs: [.operations]) {
            subject in
            let stage = try await WorkflowStage(subject)
            let m = stage.task.message
            try await stage.start(Group(m("a"), stage.fragile.message("b")), m("end"))
            let letter = try await stage.workUntilDead(1)[0]
            try expectEqual(stage.ran, ["a"], "the tasks that ran")
            stage.isMended.set()
            try await stage.requeue(letter)
            try await stage.work(until: "end")
            try expectEqual(stage.ran, ["a", "b", "end"], "the tasks that ran")
        },
        Promise("a workflow that shall proceed goes on past a task that fails for good") { subject in
            let stage = try await WorkflowStage(subject, onFailure: .proceed)
            let m = stage.task.message
            try await stage.start(Group(m("a"), stage.fragile.message("b")), stage.fragile.message("c"), m("end"))
            try await stage.work(until: "end")
            try expectEqual(stage.ran, ["a", "end"], "the tasks that ran")
        },
    ]

    /// Finds out whether tasks ran in this order, those of one step in any.
    static func expectOrder(
        _ steps: [[String]],
        _ ran: [String],
        file: String = #fileID,
        line: Int = #line
    ) throws {
        for (step, next) in zip(steps, steps.dropFirst()) {
            for name in step {
                let end = try unwrap(ran.firstIndex(of: name), "task \(name) to run", file: file, line: line)
                for follower in next {
                    let start = try unwrap(
                        ran.firstIndex(of: follower), "task \(follower) to run", file: file, line: line)
                    try expect(
                        end < start, "\(follower) to start after \(name) ended", saw: "\(ran)", file: file, line: line)
                }
            }
        }
    }
}

extension WorkflowStage {
    /// The first message of the queue, which stays there.
    func peek() async throws -> Message { try await peek(queue: queue) }

    /// The first message of a queue, which stays there.
    func peek(queue: String) async throws -> Message {
        let consumer = try await transport.consumer(of: queue, ConsumerOptions(prefetch: 1))
        let delivery = try await within(subject.patience, "a message in \(queue)") { try await consumer.next(limit: 1) }
        let first = try unwrap(delivery.first, "a message in \(queue)")
        try await transport.commit(Commit(.requeue, first))
        await consumer.close()
        return try first.message(decoder: broker.encoder)
    }
}
