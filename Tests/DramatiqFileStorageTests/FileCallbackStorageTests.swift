import Dramatiq
import DramatiqWorkflow
import Foundation
import TestSupport
import Testing

@testable import DramatiqFileStorage

@Suite(.timeLimit(.minutes(10))) struct FileCallbackStorageTests {
    private let scratch: ScratchDirectory
    private let storage: FileCallbackStorage
    /// Large enough to get a file of its own.
    private let rest: JSONValue

    init() throws {
        scratch = try ScratchDirectory()
        storage = FileCallbackStorage(StorageDirectory(scratch.storage), inlineLimit: 0, cache: WorkflowCache())
        rest = [
            "__type__": "chain",
            "children": .array(JSONArray(Array(repeating: ["__type__": "group", "children": []], count: 200))),
        ]
    }

    private func callbacks(_ remaining: JSONValue?) -> [CompletionCallback] {
        [
            CompletionCallback(
                completionID: "outer", remaining: remaining.map { RemainingWorkflow($0) }, propagates: false),
            CompletionCallback(completionID: "inner", remaining: nil, propagates: true),
        ]
    }

    /// So many parts that lie in one another that their entries are a content of their own.
    private func deep(_ remaining: JSONValue?) -> [CompletionCallback] {
        callbacks(remaining)
            + (0..<200).map {
                CompletionCallback(completionID: "group \($0) in a group", remaining: nil, propagates: true)
            }
    }

    @Test func theReferenceSaysWhoseItIs() async throws {
        let reference = try await storage.store(callbacks(rest))
        let text = "\(reference)"
        #expect(text.hasPrefix(#"{"__type__":"stored","by":"file","version":2,"at":[""#))
        #expect(text.utf8.count < 150)
        #expect(scratch.contents.count == 1)
    }

    @Test func largeCallbacksHaveAFileOfTheirOwn() async throws {
        let stored = deep(rest)
        let reference = try await storage.store(stored)
        #expect("\(reference)".utf8.count < 110)
        #expect(scratch.contents.count == 2)
        let other = FileCallbackStorage(storage.directory, inlineLimit: 0, cache: WorkflowCache())
        let callbacks = try await other.retrieve(reference)
        #expect(callbacks.map(\.completionID) == stored.map(\.completionID))
        try await #expect(callbacks[0].remaining?.load() == rest)
        try await #expect(other.store(callbacks) == reference)
        // Who has read them once needs the files no more.
        for file in scratch.contents { try FileManager.default.removeItem(atPath: file) }
        try await #expect(other.retrieve(reference).count == stored.count)
    }

    @Test func aLargeWorkflowHasAFileThatIsLoadedLate() async throws {
        let reference = try await storage.store(callbacks(rest))
        let other = FileCallbackStorage(storage.directory, inlineLimit: 0, cache: WorkflowCache())
        let callbacks = try await other.retrieve(reference)
        #expect(callbacks[0].remaining?.value == nil)
        let file = try #require(scratch.contents.first)
        try FileManager.default.removeItem(atPath: file)
        // Those that only count at a barrier don't need it.
        try await #expect(other.retrieve(reference).count == 2)
        let error = await #expect(throws: FileStorageError.self) { _ = try await callbacks[0].remaining?.load() }
        #expect(error?.code == .missing)
        #expect(error?.path == file)
        // Who has stored it has it in memory.
        try await #expect(storage.retrieve(reference)[0].remaining?.load() == rest)
    }

    @Test func messagesStaySmallHoweverLargeTheWorkflow() async throws {
        let stage = try await Stage(storage: storage)
        let m = stage.task.message
        try await Workflow(broker: stage.broker) {
            Chain {
                Group { for number in 0..<100 { m("member \(number)") } }
                Group { for number in 0..<2_000 { m("member \(number) of the second group") } }
                m("last")
            }
        }.run()
        let consumer = try await stage.transport.consumer(of: "default", prefetch: 1000)
        let deliveries = try await consumer.next(limit: 1000)
        #expect(deliveries.count == 100)
        for delivery in deliveries {
            let bytes = try JSONMessageEncoder().encode(delivery.message(decoder: JSONMessageEncoder()))
            #expect(bytes.count < 500)
        }
        await consumer.close()
        try await stage.work()
        #expect(stage.ran.count == 2_101)
        #expect(stage.ran.values.last == "last")
        #expect(stage.transport.deadLetters().isEmpty)
    }

    @Test func chainsOfAGroupShareWhatComesAfterIt() async throws {
        let stage = try await Stage(storage: storage)
        let m = stage.task.message
        try await Workflow(broker: stage.broker) {
            Chain {
                Group { for _ in 0..<50 { Chain(m("first"), m("second")) } }
                Group { for _ in 0..<50 { m("after") } }
            }
        }.run()
        #expect(scratch.contents.count == 1)
        try await stage.work()
        #expect(stage.ran.count == 150)
        #expect(stage.ran.values.suffix(50).allSatisfy { $0 == "after" })
        try await eventually { scratch.contents.isEmpty }
    }

    @Test func aReferenceIsCarriedOnWithoutLoading() async throws {
        let reference = try await storage.store(callbacks(rest))
        let file = try #require(scratch.contents.first)
        // Can't be loaded, but carried on, by another process.
        try ScratchDirectory.write([], file)
        try ScratchDirectory.age(file, by: .seconds(86_400))
        let date = try FileManager.default.attributesOfItem(atPath: file)[.modificationDate] as? Date
        let other = FileCallbackStorage(storage.directory, inlineLimit: 0, cache: WorkflowCache())
        let first = try await other.retrieve(reference)
        let second = try await other.store(
            first + [CompletionCallback(completionID: "new", remaining: nil, propagates: true)])
        let carried = try await other.retrieve(second)
        #expect(carried.map(\.completionID) == ["outer", "inner", "new"])
        #expect(carried[0].remaining?.reference == first[0].remaining?.reference)
        #expect(scratch.contents.count == 1)
        // It is needed for as long as the new message.
        let renewed = try FileManager.default.attributesOfItem(atPath: file)[.modificationDate] as? Date
        #expect(try #require(renewed) > #require(date))
    }

    /// What an earlier version has stored: the callbacks in a file, and what is large of them in another.
    @Test func referencesOfTheFirstVersionAreRead() async throws {
        let stage = try await Stage(storage: storage)
        let m = stage.task.message
        let directory = storage.directory
        func stored(_ value: JSONValue) async throws -> JSONValue {
            [
                "__type__": "stored", "by": "file", "version": 1,
                "at": try await directory.store(value.encoded()).jsonValue,
            ]
        }
        let rest = try await stored(Chain(m("b"), Chain(m("c"), m("d")), m("e")).node.jsonValue)
        let last = try await stored(Chain(m("f"), m("g")).node.jsonValue)
        for id in ["inner", "outer"] {
            let barrier = AtMostOnceBarrier(
                backend: stage.backend, key: id, ttl: WorkflowMiddleware.defaultBarrierTTL)
            #expect(try await barrier.create(parties: 1))
        }
        let callbacks = try await stored([["outer", last, false], ["inner", rest, false]])
        try await stage.broker.enqueue(
            stage.task.messageWithOptions("a", options: ["workflow_completion_callbacks": callbacks]))
        try await stage.work()
        #expect(stage.ran.values == ["a", "b", "c", "d", "e", "f", "g"])
        #expect(stage.transport.deadLetters().isEmpty)
    }

    @Test func callbacksInTheMessagesAreUnderstood() async throws {
        let inline = try await InlineCallbackStorage().store(callbacks(rest))
        let callbacks = try await storage.retrieve(inline)
        #expect(callbacks[0].remaining?.value == rest)
        #expect(scratch.files.isEmpty)
    }
}
