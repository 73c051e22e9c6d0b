import Dramatiq
import DramatiqWorkflow
import TestSupport
import Testing

@testable import DramatiqDedupStorage

@Suite(.timeLimit(.minutes(10))) struct DedupCallbackStorageTests {
    private let store = InMemoryWorkflowStore()
    private var storage: DedupCallbackStorage<InMemoryWorkflowStore> { DedupCallbackStorage(store) }

    private let rest: JSONValue = ["__type__": "chain", "children": [["__type__": "group", "children": []]]]

    @Test func aGroupOfTenThousandStoresOnceAndLoadsOnce() async throws {
        let stage = try await Stage(fidelity: .values, storage: storage)
        let m = stage.task.message
        try await Workflow(broker: stage.broker) {
            Chain {
                Group { for _ in 0..<10_000 { m("member") } }
                m("after")
            }
        }.run()
        #expect(store.counts == InMemoryWorkflowStore.Counts(stores: 1, loads: 0, refreshes: 0))
        try await stage.work()
        #expect(stage.ran.count == 10_001)
        #expect(stage.ran.values.last == "after")
        // Nothing is left to be stored after the last one. The members arrive within the refreshing interval.
        #expect(store.counts == InMemoryWorkflowStore.Counts(stores: 1, loads: 1, refreshes: 1))
    }

    @Test func whatComesAfterAGroupOfChainsIsStoredOnceForAllOfThem() async throws {
        let stage = try await Stage(fidelity: .values, storage: storage)
        let m = stage.task.message
        try await Workflow(broker: stage.broker) {
            Chain {
                Group { for _ in 0..<100 { Chain(m("first"), m("second")) } }
                m("after")
            }
        }.run()
        #expect(store.counts.stores == 101)
        try await stage.work()
        // The second steps of the chains carry the reference on.
        #expect(store.counts.stores == 101)
        #expect(store.counts.loads == 101)
        #expect(stage.ran.count == 201)
        #expect(stage.ran.values.last == "after")
    }

    @Test func aReferenceIsCarriedOnWithoutLoading() async throws {
        let stage = try await Stage(storage: storage)
        let m = stage.task.message
        try await Workflow(Chain(Chain(m("a"), m("b"), m("c")), m("d")), broker: stage.broker).run()
        #expect(store.counts == InMemoryWorkflowStore.Counts(stores: 2, loads: 0, refreshes: 0))
        try await stage.work()
        #expect(stage.ran.values == ["a", "b", "c", "d"])
        // [b, c], [c] and [d], each once: what comes after the inner chain passes through its steps unread.
        #expect(store.counts.stores == 3)
        #expect(store.counts.loads == 3)
        #expect(store.counts.refreshes > 0)
    }

    @Test func messagesSayWhichStorageHasTheWorkflow() async throws {
        let reference = try await storage.store([
            CompletionCallback(completionID: "outer", remaining: RemainingWorkflow(rest), propagates: false),
            CompletionCallback(completionID: "inner", remaining: nil, propagates: true),
        ])
        #expect(
            "\(reference)" == #"[["outer",{"__type__":"stored","by":"dedup.memory","version":1,"at":"outer"},false],"#
                + #"["inner",null,true]]"#)
        let callbacks = try await storage.retrieve(reference)
        #expect(callbacks.map(\.completionID) == ["outer", "inner"])
        #expect(callbacks.map(\.propagates) == [false, true])
        #expect(callbacks[0].remaining?.value == nil)
        try await #expect(callbacks[0].remaining?.load() == rest)
        #expect(callbacks[1].remaining == nil)
    }

    @Test func smallWorkflowsCanStayInTheMessages() async throws {
        let storage = DedupCallbackStorage(store, inlineLimit: rest.encoded().count)
        let small = [CompletionCallback(completionID: "a", remaining: RemainingWorkflow(rest), propagates: false)]
        try await #expect(storage.store(small) == InlineCallbackStorage().store(small))
        #expect(store.counts.stores == 0)
        let larger: JSONValue = ["__type__": "chain", "children": [rest]]
        _ = try await storage.store([
            CompletionCallback(completionID: "a", remaining: RemainingWorkflow(larger), propagates: false)
        ])
        #expect(store.counts.stores == 1)
    }

    @Test(arguments: [
        #"{"__type__":"stored","by":"file","version":1,"at":1}"#, #"{}"#, #""x""#, "null", "7",
        #"[["a",{"__type__":"stored","by":"dedup.memory","version":2,"at":1},true]]"#,
        #"[["a",{"__type__":"stored","by":"dedup.file","version":1,"at":1},true]]"#,
        #"[["a",{"__type__":"stored","by":"dedup.memory","version":1},true]]"#,
        #"[["a",{"__type__":"stored","by":"dedup.memory","version":1,"at":1,"more":1},true]]"#,
        #"[["a",{"__type__":"stored","by":"dedup.memory","version":"1","at":1},true]]"#,
        #"[["a",{"__type__":"stored","by":7,"version":1,"at":1},true]]"#,
        #"[["a",{"__type__":"stored","by":""# + String(repeating: "x", count: 65) + #"","version":1,"at":1},true]]"#,
        #"[["a",null]]"#, #"[[1,null,true]]"#, #"["a"]"#,
    ])
    func referencesOfOthersAndDamagedOnesAreErrors(reference: String) async throws {
        let value = try JSONValue(parsing: reference)
        await #expect(throws: WorkflowError.self) { _ = try await storage.retrieve(value) }
    }

    @Test func aWorkflowThatIsGoneIsAnErrorWhenItIsNeeded() async throws {
        let stage = try await Stage(storage: storage)
        let m = stage.task.message
        try await Workflow(Chain(Group(m("a"), m("b")), m("c")), broker: stage.broker).run()
        store.removeAll()
        try await stage.work()
        #expect(stage.ran.values.sorted() == ["a", "b"])
        // One member only counts; the other opens the barrier and is put aside.
        let letter = try #require(stage.transport.deadLetters().first)
        #expect(stage.transport.deadLetters().count == 1)
        #expect(letter.reason.contains("There is no workflow"))
    }

    /// Has what it is told to have, as a user's store with the two methods.
    private struct TwoMethods: WorkflowStore {
        struct Down: Error {}
        let isDown: Bool
        let stored: Recorder<[UInt8]>

        func store(_ workflow: [UInt8], completionID: String) async throws -> JSONValue {
            if isDown { throw Down() }
            return .integer(stored.add(workflow) - 1)
        }

        func load(_ reference: JSONValue, completionID: String) async throws -> [UInt8] {
            guard case .integer(let index) = reference, stored.values.indices.contains(index) else { throw Down() }
            return stored.values[index]
        }
    }

    @Test func twoMethodsMakeAStore() async throws {
        let storage = DedupCallbackStorage(TwoMethods(isDown: false, stored: Recorder()))
        let stage = try await Stage(storage: storage)
        let m = stage.task.message
        try await stage.run(Chain(Chain(m("a"), Group(m("b"), m("b")), m("c")), m("d")))
        #expect(stage.ran.values == ["a", "b", "b", "c", "d"])
    }

    @Test func aWorkflowThatCannotBeStoredDoesNotStart() async throws {
        let storage = DedupCallbackStorage(TwoMethods(isDown: true, stored: Recorder()))
        let stage = try await Stage(storage: storage)
        let m = stage.task.message
        let workflow = Workflow(Chain(Group(m("a"), m("b")), m("c")), broker: stage.broker)
        await #expect(throws: TwoMethods.Down.self) { try await workflow.run() }
        #expect(stage.transport.unfinishedCount(queue: "default") == 0)
        #expect(stage.backend.keyCount == 0)
    }

    @Test func refreshesAreFarBetween() {
        let schedule = RefreshSchedule()
        let start = ContinuousClock.now
        #expect(schedule.isDue("a", now: start))
        #expect(!schedule.isDue("a", now: start + .seconds(1)))
        #expect(schedule.isDue("b", now: start + .seconds(1)))
        #expect(!schedule.isDue("a", now: start + RefreshSchedule.interval - .seconds(1)))
        #expect(schedule.isDue("a", now: start + RefreshSchedule.interval))
        // However many there are, memory stays within bounds.
        for number in 0..<25_000 { #expect(schedule.isDue("\(number)", now: start)) }
        #expect(schedule.count <= 10_000)
    }
}
