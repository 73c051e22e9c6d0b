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
        storage = FileCallbackStorage(directory: scratch.storage)
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

    @Test func theReferenceSaysWhoseItIs() async throws {
        let reference = try await storage.store(callbacks(rest))
        let text = "\(reference)"
        #expect(text.hasPrefix(#"{"__type__":"stored","by":"file","version":1,"at":"sha256:"#))
        #expect(text.utf8.count < 140)
    }

    @Test func aLargeWorkflowHasAFileOfItsOwnThatIsLoadedLate() async throws {
        let reference = try await storage.store(callbacks(rest))
        #expect(scratch.contents.count == 2)
        let callbacks = try await storage.retrieve(reference)
        #expect(callbacks[0].remaining?.value == nil)
        let larger = try #require(scratch.contents.max { size($0) < size($1) })
        try FileManager.default.removeItem(atPath: larger)
        // Those that only count at a barrier don't need it.
        try await #expect(storage.retrieve(reference).count == 2)
        let error = await #expect(throws: FileStorageError.self) { _ = try await callbacks[0].remaining?.load() }
        #expect(error?.code == .missing)
        #expect(error?.path == larger)
    }

    private func size(_ path: String) -> Int {
        (try? FileManager.default.attributesOfItem(atPath: path)[.size] as? Int) ?? 0
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
            #expect(bytes.count < 400)
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
        // The rest, and the callbacks of each chain.
        #expect(scratch.contents.count == 51)
        #expect(scratch.contents.filter { size($0) > 5_000 }.count == 1)
        try await stage.work()
        #expect(stage.ran.count == 150)
        #expect(stage.ran.values.suffix(50).allSatisfy { $0 == "after" })
        #expect(scratch.contents.filter { size($0) > 5_000 }.count == 1)
    }

    @Test func aReferenceIsCarriedOnWithoutLoading() async throws {
        let first = try await storage.retrieve(try await storage.store(callbacks(rest)))
        let larger = try #require(scratch.contents.max { size($0) < size($1) })
        let date = try FileManager.default.attributesOfItem(atPath: larger)[.modificationDate] as? Date
        // Can't be loaded, but carried on.
        try ScratchDirectory.write([], larger)
        try ScratchDirectory.age(larger, by: .seconds(86_400))
        let second = try await storage.store(
            first + [CompletionCallback(completionID: "new", remaining: nil, propagates: true)])
        let carried = try await storage.retrieve(second)
        #expect(carried.map(\.completionID) == ["outer", "inner", "new"])
        #expect(carried[0].remaining?.reference == first[0].remaining?.reference)
        // It is needed for as long as the new message.
        let renewed = try FileManager.default.attributesOfItem(atPath: larger)[.modificationDate] as? Date
        #expect(try #require(renewed) >= #require(date))
    }

    @Test func callbacksInTheMessagesAreUnderstood() async throws {
        let inline = try await InlineCallbackStorage().store(callbacks(rest))
        let callbacks = try await storage.retrieve(inline)
        #expect(callbacks[0].remaining?.value == rest)
        #expect(scratch.files.isEmpty)
    }
}
