import Dramatiq
import DramatiqWorkflow
import TestSupport
import Testing

@testable import DramatiqDedupStorage

@Suite(.timeLimit(.minutes(10))) struct DedupCallbackStorageTests {
    private let store = InMemoryWorkflowStore()
    private let cache = WorkflowCache()
    /// Stores whatever there is.
    private var storage: DedupCallbackStorage<InMemoryWorkflowStore> {
        DedupCallbackStorage(store, inlineLimit: 0, cache: cache)
    }

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
        // Another process.
        cache.removeAll()
        try await stage.work()
        #expect(stage.ran.count == 10_001)
        #expect(stage.ran.values.last == "after")
        // Nothing is left to be stored after the last one. The members arrive within the refreshing interval.
        #expect(store.counts.stores == 1 && store.counts.loads == 1 && store.counts.refreshes == 0)
    }

    /// The shapes that used to store once for each step, member or level.
    private static let shapes: [(name: String, tasks: Int)] = [
        ("chain", 300), ("group of chains", 30_001), ("nested", 31), ("delays", 4),
    ]

    private func shape(_ name: String, _ m: (String) -> Message) -> WorkflowNode {
        switch name {
        case "chain":
            return .chain((0..<300).map { .message(m("\($0)")) })
        case "group of chains":
            let chains = (0..<10_000).map { n in
                WorkflowNode.chain(["a", "b", "c"].map { .message(m("\(n) \($0)")) })
            }
            return .chain([.group(chains), .message(m("last"))])
        case "nested":
            var node = WorkflowNode.message(m("innermost"))
            for level in 0..<10 {
                let inner = WorkflowNode.group([node, .message(m("beside \(level)"))])
                node = .chain([inner, .message(m("a \(level)")), .message(m("b \(level)"))])
            }
            return node
        default:
            let delayed = WorkflowNode.withDelay(.chain([.message(m("b")), .message(m("c"))]), .milliseconds(1))
            return .chain([.message(m("a")), .chain([delayed, .message(m("d"))])])
        }
    }

    @Test(arguments: shapes) func aRunStoresOnceWhateverItsShape(shape: (name: String, tasks: Int)) async throws {
        let stage = try await Stage(fidelity: .values, storage: storage)
        try await Workflow(self.shape(shape.name) { stage.task.message($0) }, broker: stage.broker).run()
        #expect(store.counts == InMemoryWorkflowStore.Counts(stores: 1, loads: 0, refreshes: 0))
        try await stage.work()
        #expect(stage.ran.count == shape.tasks)
        #expect(stage.transport.deadLetters().isEmpty)
        #expect(store.counts.stores == 1)
        #expect(store.counts.loads == 0)
    }

    @Test func aProcessThatDidNotStartTheWorkflowLoadsItOnce() async throws {
        let stage = try await Stage(storage: storage)
        let m = stage.task.message
        try await Workflow(Chain(Chain(m("a"), m("b"), m("c")), m("d")), broker: stage.broker).run()
        cache.removeAll()
        try await stage.work()
        #expect(stage.ran.values == ["a", "b", "c", "d"])
        #expect(store.counts.stores == 1)
        #expect(store.counts.loads == 1)
    }

    @Test func withoutACacheEveryStepLoads() async throws {
        let stage = try await Stage(
            storage: DedupCallbackStorage(store, inlineLimit: 0, cache: WorkflowCache(maxSize: 0)))
        let m = stage.task.message
        try await stage.run(Chain(m("a"), m("b"), m("c")))
        #expect(stage.ran.values == ["a", "b", "c"])
        #expect(store.counts.stores == 1)
        #expect(store.counts.loads == 2)
    }

    @Test func theSameContentTakesTheSpaceOnce() async throws {
        for id in ["first", "second"] {
            _ = try await storage.store([
                CompletionCallback(completionID: id, remaining: RemainingWorkflow(rest), propagates: false)
            ])
        }
        #expect(store.count == 1)
    }

    @Test func messagesSayWhichStorageHasTheWorkflow() async throws {
        let reference = try await storage.store([
            CompletionCallback(completionID: "outer", remaining: RemainingWorkflow(rest), propagates: false),
            CompletionCallback(completionID: "inner", remaining: nil, propagates: true),
        ])
        // The SHA-256 of [{"__type__":"chain","children":[{"__type__":"group","children":[]}]}].
        let name = "f3NOnKi26DNSUFEtZnKO_sy_0NgrpGHrl9MYSXWyVFQ"
        #expect(
            "\(reference)" == #"{"__type__":"stored","by":"dedup.memory","version":2,"at":[""# + name
                + #"",[["outer",1,false],["inner",null]]]}"#)
        let callbacks = try await storage.retrieve(reference)
        #expect(callbacks.map(\.completionID) == ["outer", "inner"])
        #expect(callbacks.map(\.propagates) == [false, true])
        #expect(callbacks[0].remaining?.value == nil)
        try await #expect(callbacks[0].remaining?.load() == rest)
        #expect(callbacks[1].remaining == nil)
    }

    @Test(arguments: [
        #"["b"]"#, "[]", #"["b",1,true,1]"#, #"["b",1,null]"#, #"["b",1,0]"#, "[1,1]", #"{"b":1}"#, #""b""#,
    ])
    func entriesOfReferencesThatAreNoneAreErrors(entry: String) async throws {
        let name = String(repeating: "A", count: 43)
        let reference = try JSONValue(
            parsing: #"{"__type__":"stored","by":"dedup.memory","version":2,"at":["\#(name)",[["a",1],\#(entry)]]}"#)
        let error = await #expect(throws: WorkflowError.self) { _ = try await storage.retrieve(reference) }
        #expect(error?.code == .invalidCallbacks)
        #expect(error?.description.contains("entry 2") == true)
    }

    @Test func smallWorkflowsCanStayInTheMessages() async throws {
        let storage = DedupCallbackStorage(store, inlineLimit: 36)
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
        #"[["a",{"__type__":"stored","by":"dedup.memory","version":3,"at":1},true]]"#,
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
        cache.removeAll()
        try await stage.work()
        #expect(stage.ran.values.sorted() == ["a", "b"])
        // One member only counts; the other opens the barrier and is put aside.
        let letter = try #require(stage.transport.deadLetters().first)
        #expect(stage.transport.deadLetters().count == 1)
        #expect(letter.reason.contains("in memory"))
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
        let storage = DedupCallbackStorage(TwoMethods(isDown: false, stored: Recorder()), inlineLimit: 0)
        let stage = try await Stage(storage: storage)
        let m = stage.task.message
        try await stage.run(Chain(Chain(m("a"), Group(m("b"), m("b")), m("c")), m("d")))
        #expect(stage.ran.values == ["a", "b", "b", "c", "d"])
    }

    @Test func aWorkflowThatCannotBeStoredDoesNotStart() async throws {
        let storage = DedupCallbackStorage(TwoMethods(isDown: true, stored: Recorder()), inlineLimit: 0)
        let stage = try await Stage(storage: storage)
        let m = stage.task.message
        let workflow = Workflow(Chain(Group(m("a"), m("b")), m("c")), broker: stage.broker)
        await #expect(throws: TwoMethods.Down.self) { try await workflow.run() }
        #expect(stage.transport.unfinishedCount(queues: ["default"]) == 0)
        #expect(stage.backend.keyCount == 0)
    }
}
