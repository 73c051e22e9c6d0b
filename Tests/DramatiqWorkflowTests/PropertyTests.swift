import Dramatiq
import Synchronization
import TestSupport
import Testing

@testable import DramatiqWorkflow

/// Random trees with random failures, retries, delays and crashes: every task runs, nothing starts too early.
@Suite(.timeLimit(.minutes(5))) struct PropertyTests {
    /// What a random tree must keep to.
    private struct Tree {
        var root: WorkflowNode
        /// For each task: those that must have ended before it starts.
        var predecessors: [Int: Set<Int>] = [:]
        /// For each task: how long after them it may start, in milliseconds.
        var delays: [Int: Int] = [:]
        /// For each task: how often it fails before it succeeds.
        var failures: [Int: Int] = [:]
    }

    private struct TreeMaker {
        let task: TaskActor<Int, Int, Void>
        var generator: SeededGenerator
        var tree = Tree(root: .chain([]))
        private var count = 0

        init(task: TaskActor<Int, Int, Void>, seed: UInt64) {
            self.task = task
            generator = SeededGenerator(seed: seed)
        }

        mutating func make() -> Tree {
            tree.root = node(depth: Int.random(in: 1...5, using: &generator), after: [], delay: 0).node
            return tree
        }

        /// A random node, and the tasks whose end is its end. A part without tasks ends when what it waits for has.
        private mutating func node(
            depth: Int, after: Set<Int>, delay: Int
        ) -> (node: WorkflowNode, ends: Set<Int>) {
            switch depth == 0 ? 0 : Int.random(in: 0..<10, using: &generator) {
            case 0...2:
                count += 1
                let id = count
                tree.predecessors[id] = after
                tree.delays[id] = delay
                let failures =
                    Int.random(in: 0..<10, using: &generator) < 2
                    ? Int.random(in: 1...3, using: &generator) : 0
                tree.failures[id] = failures
                return (.message(task.message(id, failures)), [id])
            case 3...5:
                var ends = after
                var children: [WorkflowNode] = []
                for index in 0..<Int.random(in: 0...4, using: &generator) {
                    let child = node(depth: depth - 1, after: ends, delay: index == 0 ? delay : 0)
                    children.append(child.node)
                    ends = child.ends
                }
                return (.chain(children), ends)
            case 6...8:
                var ends: Set<Int> = []
                var children: [WorkflowNode] = []
                for _ in 0..<Int.random(in: 0...5, using: &generator) {
                    let child = node(depth: depth - 1, after: after, delay: delay)
                    children.append(child.node)
                    ends.formUnion(child.ends)
                }
                return (.group(children), children.isEmpty ? after : ends)
            default:
                let more = Int.random(in: 0...30, using: &generator)
                let child = node(depth: depth - 1, after: after, delay: delay + more)
                return (.withDelay(child.node, .milliseconds(more)), child.ends)
            }
        }
    }

    /// What happened to a task: when it started first and when it ended last, in order and by the clock.
    private struct Life {
        var attempts = 0
        var successes = 0
        var firstStart = (order: Int.max, time: 0)
        var firstEnd: (order: Int, time: Int)?
    }

    private final class History: Sendable {
        private let state = Mutex((order: 0, lives: [Int: Life]()))

        /// Returns the number of the attempt.
        func start(_ id: Int) -> Int {
            state.withLock { state in
                state.order += 1
                var life = state.lives[id, default: Life()]
                life.attempts += 1
                if life.attempts == 1 { life.firstStart = (state.order, SystemClock.milliseconds()) }
                state.lives[id] = life
                return life.attempts
            }
        }

        func end(_ id: Int) {
            state.withLock { state in
                state.order += 1
                state.lives[id]?.successes += 1
                if state.lives[id]?.firstEnd == nil {
                    state.lives[id]?.firstEnd = (state.order, SystemClock.milliseconds())
                }
            }
        }

        var lives: [Int: Life] { state.withLock(\.lives) }
    }

    private func actor(_ history: History) -> TaskActor<Int, Int, Void> {
        TaskActor("random", options: [.minBackoff(.milliseconds(1)), .maxBackoff(.milliseconds(3))]) { id, failures in
            guard history.start(id) > failures else { throw Broken() }
            if id.isMultiple(of: 3) { await Task.yield() }
            history.end(id)
        }
    }

    private func check(_ tree: Tree, _ history: History, seed: UInt64, exactlyOnce: Bool) {
        let lives = history.lives
        #expect(Set(lives.keys) == Set(tree.predecessors.keys), "seed \(seed)")
        for (id, life) in lives {
            if exactlyOnce {
                #expect(life.successes == 1, "task \(id), seed \(seed)")
                #expect(life.attempts == (tree.failures[id] ?? 0) + 1, "task \(id), seed \(seed)")
            }
            #expect(life.successes >= 1, "task \(id), seed \(seed)")
            for predecessor in tree.predecessors[id] ?? [] {
                guard let end = lives[predecessor]?.firstEnd else {
                    Issue.record("task \(predecessor) before \(id) didn't end, seed \(seed)")
                    continue
                }
                #expect(end.order < life.firstStart.order, "task \(id) after \(predecessor), seed \(seed)")
                let delay = tree.delays[id] ?? 0
                #expect(life.firstStart.time >= end.time + delay, "task \(id) after \(predecessor), seed \(seed)")
            }
        }
    }

    @Test(arguments: [InMemoryTransport.Fidelity.values, .bytes])
    func everyTaskRunsOnceAndInOrder(fidelity: InMemoryTransport.Fidelity) async throws {
        for seed in UInt64(1)...150 {
            let history = History()
            let stage = try await Stage(fidelity: fidelity)
            let actor = actor(history)
            try await stage.broker.declare(actor)
            var maker = TreeMaker(task: actor, seed: seed)
            let tree = maker.make()
            try await Workflow(tree.root, broker: stage.broker).run()
            try await stage.work()
            check(tree, history, seed: seed, exactlyOnce: true)
            #expect(stage.transport.deadLetters().isEmpty, "seed \(seed)")
        }
    }

    /// Settlements fail before or after they were done, messages are delivered twice, workers die: nothing is lost, and
    /// nothing starts too early. A task may run again; what comes next is not started again.
    @Test func crashesLoseNothing() async throws {
        for seed in UInt64(1)...60 {
            let history = History()
            let box = Mutex<FaultyTransport?>(nil)
            let stage = try await Stage { base in
                let transport = FaultyTransport(base)
                box.withLock { $0 = transport }
                return transport
            }
            let actor = actor(history)
            try await stage.broker.declare(actor)
            var maker = TreeMaker(task: actor, seed: seed)
            let tree = maker.make()
            let transport = try #require(box.withLock { $0 })
            let dice = Mutex(SeededGenerator(seed: seed))
            let roll: @Sendable (Int) -> Bool = { sides in
                dice.withLock { Int.random(in: 0..<sides, using: &$0) == 0 }
            }
            let sent = Recorder<Message>()
            transport.set(
                FaultyTransport.Faults(
                    before: { delivery, settlement in
                        if roll(8) { throw Outage() }
                        if roll(12) { throw Broken() }
                        if roll(6), settlement.barriers != nil {
                            sent.add(try delivery.message(decoder: JSONMessageEncoder()))
                        }
                    },
                    after: { _, _, result in if result == .barrierOpened, roll(3) { throw Outage() } }))
            try await Workflow(tree.root, broker: stage.broker).run()
            for _ in 0..<6 {
                try await withWorker(stage.worker) { try await Task.sleep(for: .milliseconds(4)) }
                // Some come a second time, as after the death of a worker that had not acknowledged them.
                for message in sent.values.suffix(2) { try await stage.broker.enqueue(message) }
            }
            transport.set(FaultyTransport.Faults())
            repeat {
                for letter in stage.transport.deadLetters() { try stage.transport.requeueDeadLetter(letter.id) }
                try await stage.work()
            } while !stage.transport.deadLetters().isEmpty
            check(tree, history, seed: seed, exactlyOnce: false)
        }
    }
}
