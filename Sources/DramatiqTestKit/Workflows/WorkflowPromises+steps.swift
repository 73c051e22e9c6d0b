import Dramatiq
import DramatiqWorkflow

extension WorkflowPromises {
    /// C: steps of a commit that fail or whose answers get lost, every one of them in turn. Where the store is apart from
    /// the transport, the release is one of them: the workflow must not stop there in silence.
    static let steps: [Promise<any TransportSubject>] = [
        Promise(
            "a step that is refused, whichever it is, loses nothing and starts nothing early", needs: [.refusedSteps]
        ) {
            subject in
            try await everyStep(subject, .refuse)
        },
        Promise(
            "an answer that is lost, whichever it is, loses nothing and starts nothing early", needs: [.lostAnswers]
        ) {
            subject in
            try await everyStep(subject, .loseAnswer)
        },
        Promise(
            "a worker that is cut off, whenever it is, loses nothing and starts nothing early", needs: [.refusedSteps]
        ) {
            subject in
            let stage = try await WorkflowStage(subject)
            for step in 0..<maxSteps {
                let names = Names(step)
                try await names.start(stage)
                subject.faults.set { $0 >= step ? .refuse : nil }
                // What it can't end it returns, if it still can; otherwise the transport does.
                try await stage.work {
                    try await eventually(within: subject.patience, "the workflow's end, or to be cut off") {
                        subject.faults.count > step + 1 || stage.log.count(names.end) > 0
                    }
                }
                let wasCutOff = subject.faults.count > step
                subject.faults.clear()
                try await stage.work(until: names.end)
                try names.expectOrder(stage.ran)
                if !wasCutOff { return }
            }
            throw tooManySteps()
        },
        Promise("what a killed worker held is done by others, and nothing starts early", needs: [.kills]) { subject in
            let killed = try await WorkflowStage(subject)
            let names = Names(0)
            try await names.start(killed)
            let consumer = try await killed.transport.consumer(of: killed.queue, ConsumerOptions(prefetch: 2))
            let held = try await within(subject.patience, "a message in \(killed.queue)") {
                try await consumer.next(limit: 2)
            }
            try expect(!held.isEmpty, "a message in \(killed.queue)")
            try await subject.kill(killed.transport)
            let other = try await WorkflowStage(subject, log: killed.log)
            try await other.work(until: names.end)
            try names.expectOrder(other.ran)
            for name in names.all {
                try expectEqual(other.log.count(name), 1, "the number of times that \(name) ran")
            }
        },
    ]

    /// More than the workflow takes, however its steps are divided.
    static let maxSteps = 100

    private static func tooManySteps() -> Deviation {
        Deviation(
            expected: "a workflow of 6 tasks to take less than \(maxSteps) steps",
            seen: "more, so a FaultSwitch is asked too often", file: #fileID, line: #line)
    }

    /// Runs workflows, of each of which another step fails.
    private static func everyStep(_ subject: any TransportSubject, _ fault: StepFault) async throws {
        let stage = try await WorkflowStage(subject)
        for step in 0..<maxSteps {
            let names = Names(step)
            try await names.start(stage)
            subject.faults.inject(fault, at: step)
            try await stage.work(until: names.end)
            let hasFailed = subject.faults.count > step
            subject.faults.clear()
            try names.expectOrder(stage.ran)
            if subject.claims.contains(.barriers) {
                for name in names.all {
                    try expectEqual(
                        stage.log.count(name), 1,
                        "the number of times that \(name) ran, with step \(step) \(fault)")
                }
            }
            // The workflow had no step more.
            if !hasFailed { return }
        }
        throw tooManySteps()
    }

    /// The tasks of a workflow in which everything happens: steps of a chain in a group, groups one after the other.
    private struct Names {
        let prefix: String

        init(_ number: Int) {
            prefix = "\(number)."
        }

        var end: String { prefix + "end" }
        var all: [String] { ["a", "b", "c", "d", "e", "end"].map { prefix + $0 } }

        func start(_ stage: WorkflowStage) async throws {
            let m = { stage.task.message(prefix + $0) }
            try await stage.start(Group(Chain(m("a"), m("b")), m("c")), Group(m("d"), m("e")), m("end"))
        }

        func expectOrder(_ ran: [String], file: String = #fileID, line: Int = #line) throws {
            let ran = ran.filter { $0.hasPrefix(prefix) }.map { String($0.dropFirst(prefix.count)) }
            try WorkflowPromises.expectOrder([["a"], ["b"], ["d", "e"], ["end"]], ran, file: file, line: line)
            try WorkflowPromises.expectOrder([["c"], ["d", "e"]], ran, file: file, line: line)
        }
    }
}
