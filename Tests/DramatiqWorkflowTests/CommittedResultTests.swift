import Dramatiq
import DramatiqWorkflow
import Synchronization
import TestSupport
import Testing

/// Results that are kept in the commits of their messages, between all else that these do.
@Suite(.timeLimit(.minutes(10))) struct CommittedResultTests {
    private struct Failure: Error {}

    /// Notes which results commits have kept.
    private final class KeptResults: CommitObserver, Middleware {
        private let kept = Recorder<String>()
        var all: [String] { kept.values }

        func didCommit(_ commit: Commit, _ result: CommitResult) {
            guard let kept = commit.result, result.status != .opened else { return }
            _ = self.kept.add(String(decoding: kept.bytes, as: UTF8.self))
        }
    }

    /// A store apart from the transport, which finds out whether those that arrive have their results by then.
    private final class WatchingStore: StateStore {
        private let base = InMemoryRateLimiterBackend()
        private let results: any ResultBackend
        let actors: [String]
        let atomicity: StateAtomicity
        private let arrived = Recorder<(party: String, hasResult: Bool)>()

        init(_ results: any ResultBackend, actors: [String], _ atomicity: StateAtomicity) {
            self.results = results
            self.actors = actors
            self.atomicity = atomicity
        }

        var identity: StoreIdentity { StoreIdentity(self) }

        func hasResult(_ party: String) async throws -> Bool {
            for actor in actors {
                let key = ResultKey(queueName: "default", actorName: actor, messageID: party)
                if try await results.result(for: key, timeout: .zero) != nil { return true }
            }
            return false
        }

        func apply(_ steps: StateCommit) async throws -> StateCommit.Result {
            if let arrival = steps.arrival {
                _ = arrived.add((arrival.party, try await hasResult(arrival.party)))
            }
            return try await base.apply(steps)
        }

        /// Those that have a result and had none when they arrived; the others are no messages.
        var early: [String] {
            get async throws {
                var early: [String] = []
                for (party, hadResult) in arrived.values where !hadResult {
                    if try await hasResult(party) { early.append(party) }
                }
                return early
            }
        }

        var arrivals: Int { arrived.count }
    }

    private let transport = InMemoryTransport(fidelity: .bytes)
    private let results = InMemoryResultBackend()
    private let kept = KeptResults()
    private let log = RecordingLog()
    private let number = TaskActor("number", options: [.maxRetries(0)]) { (number: Int) in
        if number < 0 { throw Failure() }
        return number
    }

    private func broker(_ middleware: [any Middleware]) async throws -> Broker {
        let broker = Broker(
            transport: transport, middleware: Broker.defaultMiddleware + middleware + [kept], logger: log.logger)
        try await broker.declare(number)
        return broker
    }

    private func work(_ broker: Broker) async throws {
        let worker = Worker(
            broker, concurrency: 4,
            transitionRetries: TransitionRetryPolicy(
                attempts: 2, minBackoff: .milliseconds(1), maxBackoff: .milliseconds(1)))
        try await withWorker(worker) { try await transport.joinAll(timeout: .patience) }
    }

    private func nested(_ base: Int) -> Chain {
        let n = number.message
        return Chain(
            n(base), Group(n(base + 1), Chain(n(base + 2), Group(n(base + 3), n(base + 4)), n(base + 5))), n(base + 6))
    }

    /// Whichever of both comes first in the broker's list, and although some commits are done in two.
    @Test(arguments: [true, false], [RunTracking.enabled, .disabled])
    func everyResultIsKeptOnce(isFirst: Bool, tracking: RunTracking) async throws {
        let workflows = WorkflowMiddleware(backend: InMemoryRateLimiterBackend(), tracking: tracking)
        let keeping = Results(backend: results, storesResults: true)
        let broker = try await broker(isFirst ? [keeping, workflows] : [workflows, keeping])
        try await Workflow(nested(0), broker: broker).run()
        try await work(broker)
        #expect(kept.all.sorted() == (0..<7).map { "\($0)" })
        #expect(log.complaints.isEmpty)
    }

    /// Others can arrive and be the last while the messages' own commit is still to come.
    @Test(arguments: [true, false], [StateAtomicity.commit, .key])
    func whereBarriersAreApartAResultComesBeforeTheArrival(isFirst: Bool, atomicity: StateAtomicity) async throws {
        let store = WatchingStore(results, actors: ["number"], atomicity)
        let workflows = WorkflowMiddleware(backend: store)
        let keeping = Results(backend: results, storesResults: true)
        let broker = try await broker(isFirst ? [keeping, workflows] : [workflows, keeping])
        for base in [0, 10, 20] { try await Workflow(nested(base), broker: broker).run() }
        try await work(broker)
        #expect(store.arrivals >= 21)
        #expect(try await store.early == [])
        #expect(Set(kept.all).isSubset(of: (0..<30).map { "\($0)" }))
        #expect(log.complaints.isEmpty)
    }

    /// A member of Python's groups that is a task of a workflow as well arrives by itself, before its commit.
    @Test func aResultComesBeforeAnArrivalOfItsOwn() async throws {
        let store = WatchingStore(results, actors: ["number"], .commit)
        let broker = try await broker([
            Results(backend: results, storesResults: true), GroupCallbacks(backend: store),
            WorkflowMiddleware(backend: InMemoryRateLimiterBackend()),
        ])
        let group = StateCommit.Creation(barrier: BarrierKey(key: "group", ttl: .seconds(1000)), parties: 2)
        _ = try await store.apply(StateCommit(store: store, creations: [group]))
        let options: MessageOptions = [
            "group_completion_uuid": "group", "group_completion_callbacks": [number.message(3).jsonValue],
        ]
        let members = [1, 2].map { number.messageWithOptions($0, options: options) }
        try await Workflow(Group(children: members.map { .message($0) }), broker: broker).run()
        try await work(broker)
        #expect(store.arrivals == 2)
        #expect(try await store.early == [])
        #expect(log.complaints.isEmpty)
        for message in members {
            #expect(try await message.result(Int.self, from: broker) == message.args.elements.first?.intValue)
        }
    }

    /// What a task returned is nothing to keep once its message has failed all the same.
    @Test(arguments: [true, false]) func aMessageThatFailsAfterAllHasItsErrorOnly(throwing: Bool) async throws {
        struct Refusing: BeforeAck {
            let throwing: Bool
            var failurePolicy: MiddlewareFailurePolicy { .retryThenReject }

            func beforeAck(_ context: inout MessageContext) async throws {
                if throwing { throw Failure() }
                context.fail("It may not end")
            }
        }
        let broker = try await broker([
            Results(backend: results, storesResults: true), Refusing(throwing: throwing),
        ])
        let message = try await number.send(1, to: broker)
        try await work(broker)
        #expect(kept.all.count == 1)
        let error = await #expect(throws: ResultError.self) { try await message.result(Int.self, from: broker) }
        #expect(error?.code == .failed)
        #expect(error?.reason.contains(throwing ? "Failure" : "It may not end") == true)
        #expect(transport.deadLetters().count == 1)
    }

    /// A commit can't be done whose barrier is lost: the message is put aside, and its error is what is kept.
    @Test func aLostBarrierLeavesAnError() async throws {
        let backend = InMemoryRateLimiterBackend()
        let broker = try await broker([
            Results(backend: results, storesResults: true), WorkflowMiddleware(backend: backend, tracking: .disabled),
        ])
        try await Workflow(Chain(number.message(1), number.message(2)), broker: broker).run()
        backend.removeAll()
        try await work(broker)
        let message = try #require(try transport.deadLetters().first?.message())
        let error = await #expect(throws: ResultError.self) { try await message.result(Int.self, from: broker) }
        #expect(error?.code == .failed && error?.reason.contains("not in the backend") == true)
        #expect(kept.all.count == 1)
    }

    /// A transport of which nothing else is known gets no results, and they are there all the same.
    @Test func aTransportThatSaysNothingGetsNone() async throws {
        struct Silent: TransportWrapper {
            let base: any Transport
        }
        let silent = Silent(base: transport)
        #expect(transport.includes(results) && !silent.includes(results))
        let broker = Broker(
            transport: silent,
            middleware: Broker.defaultMiddleware + [kept, Results(backend: results, storesResults: true)],
            logger: log.logger)
        try await broker.declare(number)
        let (good, bad) = (try await number.send(1, to: broker), try await number.send(-1, to: broker))
        try await work(broker)
        #expect(kept.all.isEmpty)
        #expect(try await good.result(Int.self, from: broker) == 1)
        await #expect(throws: ResultError.self) { try await bad.result(Int.self, from: broker) }
    }
}
