import Dramatiq
import DramatiqWorkflow

extension WorkflowStorePromises {
    /// Removing what was stored for runs that have ended.
    static let removing: [Promise<any WorkflowStoreSubject>] = [
        Promise("what is removed is gone for all, and what isn't stays", needs: [.removing]) { subject in
            let (store, other) = (try await subject.makeStore(), try await subject.makeStore())
            let stored = try await put(SampleWorkflows.all.map { $0.encoded() }, in: store)
            try await other.remove(stored[1].reference, completionID: stored[1].id)
            for store in [store, other, try await subject.makeStore()] {
                try await expectError("it was removed") {
                    try await store.load(stored[1].reference, completionID: stored[1].id)
                }
                try await expectError("it was removed") {
                    try await store.refresh(stored[1].reference, completionID: stored[1].id)
                }
            }
            for kept in [stored[0], stored[2]] {
                try expect(
                    try await store.load(kept.reference, completionID: kept.id) == kept.content, "the same bytes")
            }
        },
        Promise("removing what isn't there is no error", needs: [.removing]) { subject in
            let store = try await subject.makeStore()
            let stored = try await put([SampleWorkflows.all[1].encoded()], in: store)[0]
            for _ in 1...3 { try await store.remove(stored.reference, completionID: stored.id) }
            try await subject.makeStore().remove(stored.reference, completionID: stored.id)
        },
        Promise("what is removed can be stored again", needs: [.removing]) { subject in
            let store = try await subject.makeStore()
            let stored = try await put([SampleWorkflows.large.encoded()], in: store)[0]
            try await store.remove(stored.reference, completionID: stored.id)
            let again = try await store.store(stored.content, completionID: stored.id)
            try expect(try await store.load(again, completionID: stored.id) == stored.content, "the same bytes")
        },
        Promise("what a message waits with is removed as well", needs: [.removing]) { subject in
            let store = try await subject.makeStore()
            let stored = try await put([SampleWorkflows.all[1].encoded()], in: store)[0]
            try await store.refresh(stored.reference, completionID: stored.id, for: subject.lifetime * 4)
            try await store.remove(stored.reference, completionID: stored.id)
            try await expectError("it was removed") {
                try await store.load(stored.reference, completionID: stored.id)
            }
        },
        Promise("references that stand for nothing remove nothing", needs: [.removing]) { subject in
            let store = try await subject.makeStore()
            let stored = try await put([SampleWorkflows.all[1].encoded()], in: store)[0]
            let hostile: [JSONValue] = [
                nil, true, -1, "", "x", "*", .string("../\(stored.id)"), "/etc/passwd", [], [:], [stored.reference],
                .string(String(repeating: "x", count: 100_000)),
            ]
            for reference in hostile { try? await store.remove(reference, completionID: stored.id) }
            for id in ["", "*", ".", "..", "../x", String(repeating: "x", count: 100_000)] {
                try? await store.remove(.string(id), completionID: id)
            }
            try expect(
                try await store.load(stored.reference, completionID: stored.id) == stored.content, "the same bytes")
        },
        Promise("many tasks remove, beside others that store, load and refresh", needs: [.removing]) { subject in
            let store = try await subject.makeStore()
            let kept = try await put([SampleWorkflows.large.encoded()], in: store)[0]
            let removed = try await put([SampleWorkflows.all[1].encoded()], in: store)[0]
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 0..<32 {
                    group.addTask {
                        // Gone or whole; never something else.
                        if let content = try? await store.load(removed.reference, completionID: removed.id) {
                            try expect(content == removed.content, "the same bytes")
                        }
                        try? await store.refresh(removed.reference, completionID: removed.id)
                        try await store.remove(removed.reference, completionID: removed.id)
                    }
                    group.addTask {
                        let content = JSONValue.array([.integer(number), "a run's"]).encoded()
                        let own = try await put([content], in: store)[0]
                        try expect(try await store.load(own.reference, completionID: own.id) == content, "its own")
                        try await store.remove(own.reference, completionID: own.id)
                        try expect(
                            try await store.load(kept.reference, completionID: kept.id) == kept.content,
                            "the same bytes")
                    }
                }
                try await group.waitForAll()
            }
            try await expectError("it was removed") {
                try await store.load(removed.reference, completionID: removed.id)
            }
        },
    ]

    private typealias Stored = (content: [UInt8], id: String, reference: JSONValue)

    /// Stores contents, each with an id of its own.
    private static func put(_ contents: [[UInt8]], in store: any WorkflowStore) async throws -> [Stored] {
        var stored: [Stored] = []
        for content in contents {
            let id = UniqueID.make()
            let reference = try overTheWire(try await store.store(content, completionID: id))
            stored.append((content, id, reference))
        }
        return stored
    }
}
