import Dramatiq
import DramatiqWorkflow
import Synchronization

/// Tasks that take the results of earlier steps.
extension WorkflowPromises {
    static let results: [Promise<any TransportSubject>] = [
        Promise("a task takes the result of the step before it") { subject in
            let stage = try await ResultStage(subject)
            try await stage.start(
                stage.number.message(1), Message(stage.add, taking: .previous, 5),
                WithDelay(.milliseconds(5)) { Message(stage.add, taking: .previous, 100) },
                Message(stage.show, taking: .previous, "end"))
            try await stage.work(until: "end")
            try expectEqual(stage.shown("end"), [115], "what was taken")
        },
        Promise("a group's result is an array of its members' results in the order of the definition") { subject in
            let stage = try await ResultStage(subject)
            let n = stage.number.message
            try await stage.start(
                n(0),
                Group(
                    Message(stage.add, taking: .previous, 1),
                    Chain(n(2), Group(n(3), n(3)), n(4)),
                    Chain(n(5), Group(n(6), Chain(n(0), WithDelay(.milliseconds(5)) { n(7) }), n(8))),
                    Group(), Chain(), n(9), n(10)),
                Message(stage.show, taking: .previous, "end"))
            try await stage.work(until: "end", concurrency: 8)
            try expectEqual(stage.shown("end"), [[1, 40, [60, 70, 80], [], nil, 90, 100]], "what was taken")
        },
        Promise("a later task takes results by name, as many as it asks for") { subject in
            let stage = try await ResultStage(subject)
            let n = stage.number.message
            try await stage.start(
                n(1).named("first"),
                Group(Chain(n(2).named("inner"), n(3)), Chain(n(4), n(5)).named("chain")).named("group"),
                n(6),
                Group(
                    Message(stage.show, taking: .named("first"), "a"),
                    Chain(n(7), Message(stage.show, taking: .named("group"), "b"))),
                Message(stage.showThree, taking: .named("chain"), .named("inner"), .named("first"), "c"))
            try await stage.work(until: "c", concurrency: 4)
            try expectEqual(stage.shown("a"), [10], "the result of a step with a name")
            try expectEqual(stage.shown("b"), [[30, 50]], "that of a group")
            try expectEqual(stage.shown("c"), [50, 20, 10], "several")
        },
        Promise("two runs of a definition don't share results") { subject in
            let stage = try await ResultStage(subject)
            let counts = TaskActor("counts", queue: stage.base.queue) {
                stage.count.withLock { count -> Int in
                    count += 1
                    return count
                }
            }
            try await stage.base.broker.declare(counts)
            let workflow = Workflow(
                Chain(counts.message(), Message(stage.show, taking: .previous, "end")), broker: stage.base.broker)
            try await workflow.run()
            try await workflow.run()
            try await stage.base.work {
                try await stage.base.expectRun("end", times: 2)
                try await stage.base.settle()
            }
            try expectEqual(
                stage.all("end").compactMap { $0.first?.intValue }.sorted(), [1, 2], "what was taken, sorted")
        },
        Promise("a pipeline's result is that of its last message, and its first takes results") { subject in
            let stage = try await ResultStage(subject)
            try await stage.start(
                stage.number.message(1),
                Message(stage.add, taking: .previous, 2).piped(
                    into: Message(queueName: stage.base.queue, actorName: stage.add.name, args: [30])),
                Message(stage.show, taking: .previous, "end"))
            try await stage.work(until: "end")
            try expectEqual(stage.shown("end"), [42], "what was taken")
        },
        Promise("what is tried again or delivered again takes the same results, and its message stays as it was") {
            subject in
            let stage = try await ResultStage(subject)
            try await stage.start(
                stage.number.message(4), Message(stage.show, taking: .previous, "again"),
                Message(stage.show, taking: .previous, "end"))
            stage.failures.withLock { $0 = 2 }
            try await stage.base.work(until: "again")
            try expectEqual(stage.all("again"), [[40], [40], [40]], "what was taken in each attempt")
            let messages = stage.sizes.messages(of: "show").filter { $0.args == ["again"] }
            try expectEqual(messages.count, 3, "the messages that were sent for it")
            try await stage.base.broker.enqueue(messages[0])
            try await stage.base.work { try await stage.base.expectRun("again", times: 2) }
            try expectEqual(stage.all("again").last, [40], "what a copy took")
        },
        Promise("a task that has failed or was skipped has no result, if its workflow goes on all the same") {
            subject in
            let stage = try await ResultStage(subject, onFailure: .proceed)
            let old = TaskActor("old", queue: stage.base.queue, options: [.maxAge(.zero)]) { 7 }
            try await stage.base.broker.declare(old)
            try await stage.start(
                Group(stage.number.message(1), stage.base.fragile.message("b"), old.message(), stage.number.message(2)),
                stage.base.fragile.message("c").named("alone"),
                Message(stage.show, taking: .named("alone"), "alone"))
            try await stage.work(until: "alone")
            try await stage.start(
                Group(stage.number.message(1), stage.base.fragile.message("b"), stage.number.message(2)),
                Message(stage.show, taking: .previous, "end"))
            try await stage.work(until: "end")
            try expectEqual(stage.shown("alone"), [nil], "what was taken of one")
            try expectEqual(stage.shown("end"), [[10, nil, 20]], "what was taken of a group")
        },
        Promise("a result is kept before what follows begins") { subject in
            let stage = try await ResultStage(subject)
            stage.backend.storingTakes.withLock { $0 = .milliseconds(10) }
            try await stage.start(
                Group(children: (0..<8).map { .message(stage.number.message($0)) }),
                Message(stage.show, taking: .previous, "middle"), Message(stage.show, taking: .previous, "end"))
            try await stage.work(until: "end", concurrency: 4)
            try expectEqual(stage.backend.missed.withLock(\.self), 0, "the results that were asked for too early")
        },
        Promise(
            "results that commits keep are taken, whichever step is refused or its answer is lost",
            needs: [.refusedSteps, .lostAnswers]
        ) { subject in
            let stage = try await ResultStage(subject, isBesideTransport: true)
            let n = stage.number.message
            for fault in [StepFault.refuse, .loseAnswer] {
                for step in 0..<maxSteps {
                    let name = "\(fault) \(step)"
                    try await stage.start(
                        n(1), Group(n(2), Chain(n(3), Message(stage.add, taking: .previous, 1))),
                        Message(stage.show, taking: .previous, name))
                    subject.faults.inject(fault, at: step)
                    try await stage.work(until: name)
                    let hasFailed = subject.faults.count > step
                    subject.faults.clear()
                    for taken in stage.all(name) { try expectEqual(taken, [[20, 31]], "what \(name) took") }
                    if !hasFailed { break }
                    try expect(step + 1 < maxSteps, "a workflow of 5 tasks to take less than \(maxSteps) steps")
                }
            }
        },
        Promise("a result that comes late is waited for") { subject in
            let stage = try await ResultStage(subject)
            stage.backend.isHidden.withLock { $0 = 2 }
            try await stage.start(stage.number.message(1), Message(stage.show, taking: .previous, "end"))
            try await stage.work(until: "end")
            try expectEqual(stage.shown("end"), [10], "what was taken")
            try expectEqual(stage.backend.missed.withLock(\.self), 2, "how often it was not there")
        },
        Promise(
            "a result that is gone makes its taker a dead letter that says which, and requeued it goes on",
            needs: [.operations]
        ) { subject in
            let stage = try await ResultStage(subject)
            stage.backend.isHidden.withLock { $0 = .max }
            try await stage.start(stage.number.message(1), Message(stage.show, taking: .previous, "end"))
            let letter = try await stage.base.workUntilDead(1)[0]
            for part in ["There is no result of message", "'number'", "'\(stage.base.queue)'"] {
                try expect(letter.reason.contains(part), "\(part) in the reason", saw: letter.reason)
            }
            stage.backend.isHidden.withLock { $0 = 0 }
            try await stage.base.requeue(letter)
            try await stage.work(until: "end")
            try expectEqual(stage.shown("end"), [10], "what was taken")
        },
        Promise("messages don't grow with the group whose results are taken, or with the results") { subject in
            var largest: [Int] = []
            for count in [10, 1000] {
                let stage = try await ResultStage(subject)
                try await stage.start(
                    Group(children: (0..<count).map { .message(stage.number.message($0)) }),
                    Message(stage.show, taking: .previous, "end"))
                try await stage.work(until: "end", concurrency: 8)
                try expectEqual(
                    stage.shown("end"), [.array(JSONArray((0..<count).map { .integer($0 * 10) }))], "what was taken")
                largest.append(stage.sizes.largest)
            }
            try expect(largest[1] <= largest[0] + 32, "messages of the same size", saw: "\(largest) bytes")
            let stage = try await ResultStage(subject)
            let large = TaskActor("large", queue: stage.base.queue) { String(repeating: "x", count: 1 << 20) }
            try await stage.base.broker.declare(large)
            try await stage.start(large.message(), Message(stage.show, taking: .previous, "end"))
            try await stage.work(until: "end")
            try expectEqual(stage.shown("end").first?.stringValue?.utf8.count, 1 << 20, "the size of what was taken")
            try expect(stage.sizes.largest < 4096, "small messages", saw: "\(stage.sizes.largest) bytes")
        },
        Promise("a message that takes what nobody can read becomes a dead letter that says so", needs: [.operations]) {
            subject in
            let stage = try await ResultStage(subject)
            let hostile = hostileValues
            for value in hostile {
                var message = stage.show.message(1, "hostile")
                message.options["workflow_taken_results"] = value
                try await stage.base.broker.enqueue(message)
            }
            let letters = try await stage.base.workUntilDead(hostile.count)
            try expectEqual(letters.count, hostile.count, "the number of dead letters")
            for letter in letters {
                try expect(
                    letter.reason.contains("workflow_taken_results can't be understood"), "what is wrong as the reason",
                    saw: letter.reason)
            }
            try expectEqual(stage.all("hostile").count, 0, "the number of those that ran")
        },
    ]

    /// Values of the option that stand for nothing.
    private static var hostileValues: [JSONValue] {
        func take(_ shape: JSONValue, ids: JSONValue = "a", first: JSONValue = 0) -> JSONValue {
            ["take": [["ids": ids, "first": first, "of": shape]]]
        }
        let one: JSONValue = ["queue": "q", "actor": "a"]
        var deep = "{}"
        for _ in 0..<1000 { deep = "{\"all\":[\(deep)]}" }
        var wide = "{\"times\":100000}"
        for _ in 0..<60 { wide = "{\"times\":100000,\"all\":[\(wide)]}" }
        let texts = [
            "{\"take\":[{\"ids\":\"a\",\"first\":0,\"of\":\(deep)}]}",
            "{\"take\":[{\"ids\":\"a\",\"first\":0,\"of\":{\"all\":[\(wide)]}}]}",
        ]
        return [
            1, "a", true, [], [nil], [:], ["take": 1], ["take": [1]], ["take": [[:]]], take(nil), take(1), take(["a"]),
            take(one, ids: 1), take(one, ids: .string(String(repeating: "i", count: 2000))), take(one, first: -1),
            take(one, first: 1.5), take(one, first: .integer(.max)), take(["queue": 1, "actor": "a"]),
            take(["queue": "q"]), take(["queue": "q", "actor": "a", "times": 2]), take(["all": 1]),
            take(["all": [["queue": "q", "actor": "a", "times": 0]]]),
            take(["all": [["queue": "q", "actor": "a", "times": -1]]]),
            take(["all": [["queue": "q", "actor": "a", "times": .integer(.max)]]]),
            take(["all": [["all": [["queue": "q", "actor": "a", "times": 1000]], "times": 1000]]]),
            take(["all": [["times": 100_000], ["times": 2]]]),
            .string(String(repeating: "x", count: 100_000)),
            ["take": [["ids": .string(String(repeating: "x", count: 100_000))]]],
        ] + texts.compactMap { try? JSONValue(parsing: $0) }
    }
}

/// A stage with results, and actors that have some and take some.
private struct ResultStage: Sendable {
    struct Failure: Error {}

    let base: WorkflowStage
    let backend = WatchedResults()
    let sizes = SentMessages()
    let number: TaskActor<Int, Int>
    let add: TaskActor<Int, Int, Int>
    let show: TaskActor<JSONValue, String, JSONValue>
    let showThree: TaskActor<JSONValue, JSONValue, JSONValue, String, Void>
    /// How often `show` is to fail yet.
    let failures = Recorded<Int>(0)
    let count = Recorded<Int>(0)
    private let taken = Recorded<[(name: String, values: [JSONValue])]>([])

    /// - Parameter isBesideTransport: whether results are kept where the subject makes it so, and not in ``backend``.
    init(
        _ subject: any TransportSubject,
        onFailure: WorkflowFailurePolicy = .halt,
        isBesideTransport: Bool = false
    ) async throws {
        let apart = isBesideTransport ? [] : [Results(backend: backend)]
        base = try await WorkflowStage(
            subject, onFailure: onFailure, keepingResults: isBesideTransport,
            // One of them passes on the message as it is in the queue.
            adding: apart + [sizes, CurrentMessage()])
        let (taken, failures, log) = (taken, failures, base.log)
        number = TaskActor("number", queue: base.queue) { $0 * 10 }
        add = TaskActor("add", queue: base.queue) { $0 + $1 }
        show = TaskActor("show", queue: base.queue, options: [.minBackoff(.milliseconds(1))]) { value, name in
            taken.withLock { $0.append((name, [value])) }
            let fails = failures.withLock { count in
                count -= 1
                return count >= 0
            }
            if fails { throw Failure() }
            log.add(name)
            return value
        }
        showThree = TaskActor("show_three", queue: base.queue) { first, second, third, name in
            taken.withLock { $0.append((name, [first, second, third])) }
            log.add(name)
        }
        try await base.broker.declare(number, add, show, showThree)
    }

    func start(_ components: any WorkflowComponent...) async throws {
        try await Workflow(Chain(children: components.map(\.node)), broker: base.broker).run()
    }

    func work(until name: String, concurrency: Int = 2) async throws {
        try await base.work(concurrency: concurrency) { try await base.expectRun(name) }
    }

    /// What a task took, each time.
    func all(_ name: String) -> [[JSONValue]] {
        taken.withLock { taken in taken.filter { $0.name == name }.map(\.values) }
    }

    /// What a task took that ran once.
    func shown(_ name: String) -> [JSONValue] {
        let all = all(name)
        return all.count == 1 ? all[0] : []
    }
}

/// A value that is shared.
private final class Recorded<Value: Sendable>: Sendable {
    private let value: Mutex<Value>

    init(_ value: Value) {
        self.value = Mutex(value)
    }

    func withLock<Result>(_ body: (inout Value) -> Result) -> Result {
        value.withLock { value in body(&value) }
    }
}

/// Results in memory that can be slow to come, or gone.
private final class WatchedResults: ResultBackend {
    private let base = InMemoryResultBackend()
    /// How often results are still said not to be there.
    let isHidden = Recorded<Int>(0)
    /// How often a result was asked for that was not there.
    let missed = Recorded<Int>(0)
    let storingTakes = Recorded<Duration>(.zero)

    func store(_ result: [UInt8], for key: ResultKey, ttl: Duration) async throws {
        let time = storingTakes.withLock(\.self)
        if time > .zero { try await Task.sleep(for: time) }
        try await base.store(result, for: key, ttl: ttl)
    }

    func result(for key: ResultKey, timeout: Duration) async throws -> [UInt8]? {
        let isHidden = isHidden.withLock { count -> Bool in
            guard count > 0 else { return false }
            if count < .max { count -= 1 }
            return true
        }
        let found = isHidden ? nil : try await base.result(for: key, timeout: timeout)
        if found == nil { missed.withLock { $0 += 1 } }
        return found
    }
}

/// Notes what is sent.
private final class SentMessages: AfterEnqueue {
    private let messages = Mutex<[Message]>([])

    func afterEnqueue(_ message: Message, delay: Duration?) {
        messages.withLock { $0.append(message) }
    }

    /// The size of the largest one, in bytes.
    var largest: Int {
        messages.withLock { messages in messages.reduce(0) { max($0, $1.jsonValue.encoded().count) } }
    }

    func messages(of actorName: String) -> [Message] {
        messages.withLock { messages in messages.filter { $0.actorName == actorName } }
    }
}
