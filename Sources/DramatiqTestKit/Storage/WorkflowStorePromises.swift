import Dramatiq
public import DramatiqWorkflow

/// Makes the stores that ``WorkflowStorePromises`` are checked on.
public protocol WorkflowStoreSubject: ConformanceSubject {
    /// Makes a store. All that one subject makes keep workflows in the same place, as several processes do.
    ///
    /// - Throws: why it can't be made; the check fails with it.
    func makeStore() async throws -> any WorkflowStore
}

extension Promise where Subject == any WorkflowStoreSubject {
    init(
        _ name: String,
        needs: Set<Claim> = [],
        file: String = #fileID,
        line: Int = #line,
        _ body: @escaping @Sendable (any WorkflowStoreSubject) async throws -> Void
    ) {
        self.init(name, needs: needs, file: file, line: line, base: { $0 }, body: body)
    }
}

/// What a `WorkflowStore` promises: what is stored is loaded, to the byte, and what can't be had is an error.
public enum WorkflowStorePromises {
    public static let all: [Promise<any WorkflowStoreSubject>] = keeping + removing + StoreOperationsPromises.all

    /// Storing, loading and keeping.
    static let keeping: [Promise<any WorkflowStoreSubject>] = [
        Promise("what is stored is loaded, to the byte") { subject in
            let store = try await subject.makeStore()
            for workflow in SampleWorkflows.all.map({ $0.encoded() }) {
                let id = UniqueID.make()
                let reference = try await store.store(workflow, completionID: id)
                try expect(try await store.load(reference, completionID: id) == workflow, "the same bytes")
            }
        },
        Promise("another process loads what one has stored") { subject in
            let (workflow, id) = (SampleWorkflows.large.encoded(), UniqueID.make())
            let reference = try await subject.makeStore().store(workflow, completionID: id)
            let loaded = try await subject.makeStore().load(try overTheWire(reference), completionID: id)
            try expect(loaded == workflow, "the same bytes")
        },
        Promise("the same workflow can be stored again, for the same barrier and for others") { subject in
            let store = try await subject.makeStore()
            let (workflow, id, other) = (SampleWorkflows.all[1].encoded(), UniqueID.make(), UniqueID.make())
            let first = try await store.store(workflow, completionID: id)
            let second = try await store.store(workflow, completionID: id)
            let third = try await store.store(workflow, completionID: other)
            for (reference, id) in [(first, id), (second, id), (third, other)] {
                try expect(try await store.load(reference, completionID: id) == workflow, "the same bytes")
            }
        },
        Promise("what is needed by a message on its way can be refreshed") { subject in
            let store = try await subject.makeStore()
            let (workflow, id) = (SampleWorkflows.all[1].encoded(), UniqueID.make())
            let reference = try await store.store(workflow, completionID: id)
            try await store.refresh(reference, completionID: id)
            try await store.refresh(reference, completionID: id, for: .seconds(3600))
            try await store.refresh(reference, completionID: id, for: .seconds(Int64.max))
            try expect(try await store.load(reference, completionID: id) == workflow, "the same bytes")
        },
        Promise("what stands for nothing is an error") { subject in
            let store = try await subject.makeStore()
            let id = UniqueID.make()
            _ = try await store.store(SampleWorkflows.all[1].encoded(), completionID: id)
            let hostile: [JSONValue] = [
                nil, true, -1, 1e300, "", "x", .string("../\(id)"), "/etc/passwd", "sha256:", [], [:], ["id"],
                [.string(id)],
                .string(String(repeating: "x", count: 100_000)),
            ]
            for reference in hostile {
                try await expectError("\("\(reference)".prefix(100)) stands for nothing") {
                    try await store.load(reference, completionID: id)
                }
            }
        },
        Promise("what waits for longer than it is kept otherwise is kept", needs: [.passingTime]) { subject in
            let store = try await subject.makeStore()
            let (workflow, id) = (SampleWorkflows.all[1].encoded(), UniqueID.make())
            let reference = try await store.store(workflow, completionID: id)
            try await store.refresh(reference, completionID: id, for: subject.lifetime * 4)
            try await store.refresh(reference, completionID: id, for: subject.lifetime)
            try await store.refresh(reference, completionID: id)
            try await subject.letPass(subject.lifetime * 3)
            try expect(try await store.load(reference, completionID: id) == workflow, "the same bytes")
        },
        Promise("what is gone is an error, and can be stored again", needs: [.forgetting]) { subject in
            let store = try await subject.makeStore()
            let (workflow, id) = (SampleWorkflows.all[1].encoded(), UniqueID.make())
            let reference = try await store.store(workflow, completionID: id)
            try await subject.forget()
            try await expectError("the place lost it") { try await store.load(reference, completionID: id) }
            let again = try await store.store(workflow, completionID: id)
            try expect(try await store.load(again, completionID: id) == workflow, "the same bytes")
        },
        Promise("its name fits into references, and is the same in every process") { subject in
            let (name, other) = (try await subject.makeStore().name, try await subject.makeStore().name)
            try expectEqual(name, other, "the name of another one")
            // `DedupCallbackStorage` writes `dedup.` before it.
            try expect(
                (1...StorageReference.maxNameLength - 6).contains(name.utf8.count), "1 to 58 bytes", saw: name)
        },
        Promise("many tasks use one store at the same time") { subject in
            let store = try await subject.makeStore()
            try await withThrowingTaskGroup(of: Void.self) { group in
                for task in 0..<64 {
                    group.addTask {
                        let (workflow, id) = (JSONValue.array([.integer(task % 10)]).encoded(), UniqueID.make())
                        let reference = try await store.store(workflow, completionID: id)
                        try expect(try await store.load(reference, completionID: id) == workflow, "the same bytes")
                    }
                }
                try await group.waitForAll()
            }
        },
    ]

    static func overTheWire(_ reference: JSONValue) throws -> JSONValue {
        try JSONValue(parsing: reference.encoded())
    }
}
