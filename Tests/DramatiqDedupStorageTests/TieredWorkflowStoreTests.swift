import Dramatiq
import DramatiqDedupStorage
import DramatiqLZ4
import DramatiqWorkflow
import TestSupport
import Testing

/// Small contents in one store, large ones in another.
@Suite(.timeLimit(.minutes(10))) struct TieredWorkflowStoreTests {
    private let small = InMemoryWorkflowStore()
    private let large = InMemoryWorkflowStore()
    private var store: TieredWorkflowStore<InMemoryWorkflowStore, InMemoryWorkflowStore> {
        small.tiered(above: 10, to: large)
    }

    private func content(_ size: Int) -> [UInt8] { Array(repeating: UInt8(ascii: " "), count: size) }

    @Test func theSizeDecidesAndThePlaceSaysIt() async throws {
        for (size, place, counts) in [(0, "id", (1, 0)), (10, "id", (2, 0)), (11, 1, (2, 1))]
            as [(
                Int, JSONValue, (Int, Int)
            )]
        {
            #expect(try await store.store(content(size), completionID: "id") == place)
            #expect((small.counts.stores, large.counts.stores) == counts)
            #expect(try await store.load(place, completionID: "id") == content(size))
        }
        #expect((small.counts.loads, large.counts.loads) == (2, 1))
        #expect(store.name == "memory+memory")
    }

    @Test func refreshesGoWhereTheContentIs() async throws {
        let places = [
            try await store.store(content(1), completionID: "small"),
            try await store.store(content(11), completionID: "large"),
        ]
        try await store.refresh(places[0], completionID: "small")
        #expect((small.counts.refreshes, large.counts.refreshes) == (1, 0))
        try await store.refresh(places[1], completionID: "large", for: .seconds(100))
        #expect((small.counts.refreshes, large.counts.refreshes) == (1, 1))
        #expect(try #require(try await large.stored(named: "large")?.age) < .zero)
    }

    @Test func whatWasMovedIsFound() async throws {
        _ = try await small.store(content(20), completionID: "id")
        for place in ["id", 1] as [JSONValue] {
            #expect(try await store.load(place, completionID: "id") == content(20))
            try await store.refresh(place, completionID: "id", for: .seconds(1))
        }
        small.removeAll()
        _ = try await large.store(content(1), completionID: "id")
        for place in ["id", 1] as [JSONValue] {
            #expect(try await store.load(place, completionID: "id") == content(1))
        }
        large.removeAll()
        for place in ["id", 1] as [JSONValue] {
            await #expect(throws: InMemoryWorkflowStore.NotStored.self) {
                try await store.load(place, completionID: "id")
            }
        }
    }

    @Test(
        arguments: [
            nil, true, 0, 2, -1, 1.0, "", "other", [], [0], [1], [1, "id", 2], [2, "id"], ["1", "id"], [:],
            [[1, "id"]],
            [0, "other"], [1, "other"], [1, nil],
        ] as [JSONValue])
    func otherPlacesAreErrors(place: JSONValue) async throws {
        for name in ["id", "other"] {
            _ = try await small.store(content(1), completionID: name)
            _ = try await large.store(content(11), completionID: name)
        }
        await #expect(throws: (any Error).self) { try await store.load(place, completionID: "id") }
        await #expect(throws: (any Error).self) { try await store.refresh(place, completionID: "id") }
    }

    /// Calls every place a number, as a user's store may.
    private struct Numbering: WorkflowStore {
        struct NotMine: Error {}
        let base = InMemoryWorkflowStore()
        let name: String

        func store(_ workflow: [UInt8], completionID: String) async throws -> JSONValue {
            _ = try await base.store(workflow, completionID: completionID)
            return 7
        }

        func load(_ reference: JSONValue, completionID: String) async throws -> [UInt8] {
            guard reference == 7 else { throw NotMine() }
            return try await base.load(.string(completionID), completionID: completionID)
        }
    }

    @Test func placesOfAnyKindAreCarried() async throws {
        let store = Numbering(name: String(repeating: "n", count: 40)).tiered(
            above: 10, to: Numbering(name: String(repeating: "m", count: 40)))
        for size in [10, 11] {
            let place = try await store.store(content(size), completionID: "id")
            #expect(place == [.integer(size - 10), 7])
            #expect(try await store.load(place, completionID: "id") == content(size))
        }
        #expect(store.name == "tiered")
        await #expect(throws: (any Error).self) { try await store.load([0, 8], completionID: "id") }
    }

    /// A process that knows only one of the stores, and whose storage has another name.
    private struct Renamed: WorkflowStore {
        let base: InMemoryWorkflowStore
        let name = "other"

        func store(_ workflow: [UInt8], completionID: String) async throws -> JSONValue {
            try await base.store(workflow, completionID: completionID)
        }

        func load(_ reference: JSONValue, completionID: String) async throws -> [UInt8] {
            try await base.load(reference, completionID: completionID)
        }

        func refresh(_ reference: JSONValue, completionID: String) async throws {
            try await base.refresh(reference, completionID: completionID)
        }
    }

    @Test(arguments: [(1, true), (1000, false)])
    func whoKnowsOneOfThemFindsWhatItHas(content: (size: Int, isSmall: Bool)) async throws {
        let tiers = DedupCallbackStorage(small.tiered(above: 500, to: large), inlineLimit: 0, cache: WorkflowCache())
        let task: JSONValue = ["__type__": "message", "args": [.string(String(repeating: "x", count: content.size))]]
        let rest: JSONValue = ["__type__": "chain", "children": [task, task]]
        let reference = try await tiers.store([
            CompletionCallback(completionID: "a", remaining: RemainingWorkflow(rest), propagates: false)
        ])
        let (has, hasNot) = content.isSmall ? (small, large) : (large, small)
        let one = DedupCallbackStorage(Renamed(base: has), cache: WorkflowCache())
        let callbacks = try await one.retrieve(reference)
        #expect(try await callbacks[0].remaining?.load() == rest)
        #expect(has.counts.refreshes == 1)
        // What is carried on is there under the same name, so everybody goes on with it.
        let next = try await one.store(callbacks)
        #expect(try await tiers.retrieve(next)[0].remaining?.load() == rest)
        let other = DedupCallbackStorage(Renamed(base: hasNot), cache: WorkflowCache())
        let error = await #expect(throws: WorkflowError.self) {
            try await other.retrieve(reference)[0].remaining?.load()
        }
        #expect(error?.code == .foreignReference)
        #expect("\(try #require(error))".contains("dedup.memory+memory"))
    }

    @Test func workflowsRunOverBoth() async throws {
        let storage = DedupCallbackStorage(
            small.tiered(above: 200, to: large.compressed(with: LZ4Compressor())), inlineLimit: 0)
        let stage = try await Stage(storage: storage)
        let m = stage.task.message
        try await stage.run(Chain(Chain(m("a"), Group(m("b"), m("b")), m("c")), m("d")))
        #expect(stage.ran.values == ["a", "b", "b", "c", "d"])
        #expect(small.counts.stores + large.counts.stores > 0)
    }
}
