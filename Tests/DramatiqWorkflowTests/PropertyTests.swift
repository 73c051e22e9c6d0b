import Dramatiq
import Synchronization
import TestSupport
import Testing

@testable import DramatiqWorkflow

/// Random trees with random failures, retries, delays and crashes: every task runs, nothing starts too early.
@Suite(.timeLimit(.minutes(10))) struct PropertyTests {
    private final class History: Sendable {
        private let state = Mutex((order: 0, lives: [Int: TaskLife]()))

        /// Returns the number of the attempt.
        func start(_ id: Int) -> Int {
            state.withLock { state in
                state.order += 1
                var life = state.lives[id, default: TaskLife()]
                life.start(order: state.order, time: SystemClock.milliseconds())
                state.lives[id] = life
                return life.starts
            }
        }

        func end(_ id: Int) {
            state.withLock { state in
                state.order += 1
                state.lives[id]?.end(order: state.order, time: SystemClock.milliseconds())
            }
        }

        var lives: [Int: TaskLife] { state.withLock(\.lives) }
    }

    /// How many in ten tasks add others: none in every other tree.
    private static func adding(_ seed: TestSeed) -> Int { seed.number.isMultiple(of: 2) ? 3 : 0 }

    private func actor(_ history: History) -> TaskActor<Int, Int, Void> {
        TaskActor("random", options: [.minBackoff(.milliseconds(1)), .maxBackoff(.milliseconds(3))]) { id, failures in
            try AddedTasks.add(CurrentMessage.message)
            guard history.start(id) > failures else { throw Broken() }
            if id.isMultiple(of: 3) { await Task.yield() }
            history.end(id)
        }
    }

    @Test(arguments: [InMemoryTransport.Fidelity.values, .bytes])
    func everyTaskRunsOnceAndInOrder(fidelity: InMemoryTransport.Fidelity) async throws {
        for seed in TestSeed.first(150) {
            let history = History()
            let stage = try await Stage(fidelity: fidelity, middleware: Broker.defaultMiddleware + [CurrentMessage()])
            let actor = actor(history)
            try await stage.broker.declare(actor)
            let tree = RandomTree(
                seed: seed.value, adding: Self.adding(seed), hasPolicies: seed.number.isMultiple(of: 3)
            ) { actor.message($0, $1) }
            try await Workflow(tree.root, broker: stage.broker).run()
            try await stage.work()
            #expect(tree.violations(history.lives, exactlyOnce: true) == [], "\(seed)")
            #expect(stage.transport.deadLetters().isEmpty, "\(seed)")
        }
    }

    /// Settlements fail before or after they were done, messages are delivered twice, workers die: nothing is lost, and
    /// nothing starts too early. A task may run again; what comes next is not started again.
    @Test func crashesLoseNothing() async throws {
        for seed in TestSeed.first(60) {
            let history = History()
            let box = Mutex<InterceptedTransport?>(nil)
            let stage = try await Stage(middleware: Broker.defaultMiddleware + [CurrentMessage()]) { base in
                let transport = InterceptedTransport(base)
                box.withLock { $0 = transport }
                return transport
            }
            let actor = actor(history)
            try await stage.broker.declare(actor)
            let tree = RandomTree(seed: seed.value, adding: Self.adding(seed)) { actor.message($0, $1) }
            let transport = try #require(box.withLock { $0 })
            let dice = Mutex(seed.generator)
            let roll: @Sendable (Int) -> Bool = { sides in
                dice.withLock { Int.random(in: 0..<sides, using: &$0) == 0 }
            }
            let sent = Recorder<Message>()
            transport.set(
                InterceptedTransport.Faults(
                    before: { commit in
                        if roll(8) { throw Outage() }
                        if roll(12) { throw Broken() }
                        if roll(6), commit.state != nil, let delivery = commit.end?.delivery {
                            sent.add(try delivery.message(decoder: JSONMessageEncoder()))
                        }
                    },
                    after: { _, result in if result.status == .opened, roll(3) { throw Outage() } }))
            try await Workflow(tree.root, broker: stage.broker).run()
            for _ in 0..<6 {
                try await withWorker(stage.worker) { try await Task.sleep(for: .milliseconds(4)) }
                // Some come a second time, as after the death of a worker that had not acknowledged them.
                for message in sent.values.suffix(2) { try await stage.broker.enqueue(message) }
            }
            transport.set(InterceptedTransport.Faults())
            repeat {
                for letter in stage.transport.deadLetters() { try stage.transport.requeueDeadLetter(letter.id) }
                try await stage.work()
            } while !stage.transport.deadLetters().isEmpty
            #expect(tree.violations(history.lives, exactlyOnce: false) == [], "\(seed)")
        }
    }
}
