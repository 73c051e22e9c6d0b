import Dramatiq
import DramatiqWorkflow

/// What a `CallbackStorage` promises: callbacks come back as they were, and what can't be had is an error.
public enum CallbackStoragePromises {
    public static let all: [Promise<any CallbackStorageSubject>] = keeping + removing

    /// Storing, retrieving and keeping.
    static let keeping: [Promise<any CallbackStorageSubject>] = [
        Promise("callbacks come back as they were, outermost first") { subject in
            let storage = try await subject.makeStorage()
            for remaining in [nil] + SampleWorkflows.all.map(Optional.some) {
                let stored = SampleWorkflows.callbacks(remaining)
                let reference = try await storage.store(stored)
                try await expectSame(try await storage.retrieve(reference), stored, remaining)
            }
            let none = try await storage.retrieve(try await storage.store([]))
            try expectEqual(none.count, 0, "the number of callbacks")
        },
        Promise("a reference survives the way through a message") { subject in
            let storage = try await subject.makeStorage()
            let stored = SampleWorkflows.callbacks(SampleWorkflows.large)
            let message = Message(
                queueName: "promise", actorName: "task",
                options: [WorkflowMiddleware.callbacksOption: try await storage.store(stored)])
            let encoder = JSONMessageEncoder()
            let reference = try unwrap(
                try encoder.decode(try encoder.encode(message)).options[WorkflowMiddleware.callbacksOption],
                "the reference")
            try await expectSame(try await storage.retrieve(reference), stored, SampleWorkflows.large)
        },
        Promise("another process reads what one has stored") { subject in
            let stored = SampleWorkflows.callbacks(SampleWorkflows.large)
            let reference = try await subject.makeStorage().store(stored)
            try await expectSame(
                try await subject.makeStorage().retrieve(reference), stored, SampleWorkflows.large)
        },
        Promise("what remains is carried on from one message to the next") { subject in
            let storage = try await subject.makeStorage()
            var callbacks = SampleWorkflows.callbacks(SampleWorkflows.large)
            let ids = callbacks.map(\.completionID)
            for step in 1...3 {
                callbacks = try await storage.retrieve(try await storage.store(callbacks))
                callbacks.append(
                    CompletionCallback(
                        completionID: "step \(step)", remaining: RemainingWorkflow(SampleWorkflows.all[1]),
                        propagates: true))
            }
            let last = try await storage.retrieve(try await storage.store(callbacks))
            try expectEqual(last.map(\.completionID), ids + ["step 1", "step 2", "step 3"], "the completion ids")
            try expectEqual(try await load(last[0]), SampleWorkflows.large, "the first remaining workflow")
            for callback in last[2...] {
                try expectEqual(try await load(callback), SampleWorkflows.all[1], "a step's remaining workflow")
            }
        },
        Promise("callbacks that stand in the message itself are understood") { subject in
            let stored = SampleWorkflows.callbacks(SampleWorkflows.all[1])
            let inline = try await InlineCallbackStorage().store(stored)
            try await expectSame(
                try await subject.makeStorage().retrieve(inline), stored, SampleWorkflows.all[1])
        },
        Promise("references of others and damaged ones are errors") { subject in
            let storage = try await subject.makeStorage()
            _ = try await storage.store(SampleWorkflows.callbacks(SampleWorkflows.large))
            let texts = [
                #"{"__type__":"stored","by":"somebody else's","version":1,"at":1}"#,
                #"[["a",{"__type__":"stored","by":"somebody else's","version":1,"at":1},true]]"#,
                #"[["a",{"__type__":"stored","by":7,"version":1,"at":1},true]]"#,
                "{}", #""x""#, #""../../etc/passwd""#, "null", "7", "-1", "true", #"[["a",null]]"#,
                #"[[1,null,true]]"#, #"["a"]"#, #"[["a",null,1]]"#, #"[["a",null,true,1]]"#, "[null]",
            ]
            for text in texts {
                try await expectError("\(text) stands for nothing") {
                    try await storage.retrieve(try JSONValue(parsing: text)).map(\.completionID)
                }
            }
        },
        Promise("callbacks are kept while their message waits") { subject in
            let storage = try await subject.makeStorage()
            let stored = SampleWorkflows.callbacks(SampleWorkflows.large)
            let reference = try await storage.store(stored)
            try await storage.refresh(reference, for: .zero)
            try await storage.refresh(reference, for: .seconds(3600))
            try await expectSame(try await storage.retrieve(reference), stored, SampleWorkflows.large)
        },
        Promise("what waits for longer than it is kept otherwise is kept", needs: [.passingTime]) { subject in
            let storage = try await subject.makeStorage()
            let stored = SampleWorkflows.callbacks(SampleWorkflows.large)
            let reference = try await storage.store(stored)
            try await storage.refresh(reference, for: subject.lifetime * 4)
            // A shorter wait doesn't shorten it.
            try await storage.refresh(reference, for: subject.lifetime)
            try await subject.letPass(subject.lifetime * 3)
            try await expectSame(try await storage.retrieve(reference), stored, SampleWorkflows.large)
        },
        Promise("what is gone is an error when it is needed", needs: [.forgetting]) { subject in
            let storage = try await subject.makeStorage()
            let reference = try await storage.store(SampleWorkflows.callbacks(SampleWorkflows.large))
            try await subject.forget()
            // The process that has stored it may still have it in memory.
            let other = try await subject.makeStorage()
            try await expectError("the place lost it") { try await load(try await other.retrieve(reference)[0]) }
            for storage in [storage, other] {
                try await expectError("the place lost it") { try await storage.refresh(reference, for: .seconds(1)) }
            }
        },
        Promise("callbacks that can't be stored are an error", needs: [.refusedSteps]) { subject in
            let storage = try await subject.makeStorage()
            subject.faults.inject(.refuse)
            try await expectError("storing is refused") {
                try await storage.store(SampleWorkflows.callbacks(SampleWorkflows.large))
            }
        },
        Promise("many tasks use one storage at the same time") { subject in
            let storage = try await subject.makeStorage()
            try await withThrowingTaskGroup(of: Void.self) { group in
                for task in 0..<32 {
                    group.addTask {
                        let workflow = SampleWorkflows.all[task % SampleWorkflows.all.count]
                        let stored = SampleWorkflows.callbacks(workflow)
                        let reference = try await storage.store(stored)
                        try await expectSame(try await storage.retrieve(reference), stored, workflow)
                    }
                }
                try await group.waitForAll()
            }
        },
        Promise("a workflow runs to its end with it") { subject in
            let stage = try await WorkflowStage(InProcess(), storage: try await subject.makeStorage())
            let m = stage.task.message
            try await stage.start(Chain(m("a"), Group(m("b"), Chain(m("c"), m("d")))), Group(m("e"), m("f")), m("end"))
            try await stage.work(until: "end")
            try expectEqual(
                stage.ran.sorted(), ["a", "b", "c", "d", "e", "end", "f"], "the tasks that ran, sorted")
            try WorkflowPromises.expectOrder([["a"], ["b", "c"], ["e", "f"], ["end"]], stage.ran)
        },
    ]

    /// Where the workflows of storages run.
    private struct InProcess: TransportSubject {
        private let transport = InMemoryTransport(fidelity: .bytes)
        func makeTransport() async throws -> any Transport { transport }
    }

    static func load(_ callback: CompletionCallback) async throws -> JSONValue {
        try await unwrap(callback.remaining, "a remaining workflow").load()
    }

    static func expectSame(
        _ seen: [CompletionCallback],
        _ stored: [CompletionCallback],
        _ remaining: JSONValue?,
        file: String = #fileID,
        line: Int = #line
    ) async throws {
        try expectEqual(
            seen.map(\.completionID), stored.map(\.completionID), "the completion ids", file: file, line: line)
        try expectEqual(seen.map(\.propagates), stored.map(\.propagates), "which propagate", file: file, line: line)
        try expectEqual(
            seen.map { $0.remaining != nil }, stored.map { $0.remaining != nil }, "which have a remaining workflow",
            file: file, line: line)
        guard let remaining else { return }
        let loaded = try await load(seen[0])
        try expect(
            loaded.encoded() == remaining.encoded(), "the remaining workflow to the byte",
            saw: "\(loaded)".prefix(500).description,
            file: file, line: line)
    }
}
