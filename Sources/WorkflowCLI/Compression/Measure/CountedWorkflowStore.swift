#if Plugins
    import Dramatiq
    import DramatiqWorkflow
    import Synchronization

    /// Counts what a store is asked for.
    final class CountedWorkflowStore: WorkflowStore {
        private let base: any WorkflowStore
        private let counts = Mutex(StoreRequests())

        init(_ base: any WorkflowStore) {
            self.base = base
        }

        var requests: StoreRequests { counts.withLock(\.self) }
        var name: String { base.name }
        var identity: String? { base.identity }

        func store(_ workflow: [UInt8], completionID: String) async throws -> JSONValue {
            counts.withLock { $0.stores += 1 }
            return try await base.store(workflow, completionID: completionID)
        }

        func load(_ reference: JSONValue, completionID: String) async throws -> [UInt8] {
            counts.withLock { $0.loads += 1 }
            return try await base.load(reference, completionID: completionID)
        }

        func refresh(_ reference: JSONValue, completionID: String) async throws {
            try await base.refresh(reference, completionID: completionID)
        }

        func refresh(_ reference: JSONValue, completionID: String, for wait: Duration) async throws {
            try await base.refresh(reference, completionID: completionID, for: wait)
        }
    }
#endif
