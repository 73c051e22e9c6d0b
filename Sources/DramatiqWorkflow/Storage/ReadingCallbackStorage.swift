import Dramatiq

extension CallbackStorage {
    /// This storage for what is stored from now on, which also reads what older ones have stored. For the time in which
    /// messages from before a swap are still on their way.
    ///
    ///     WorkflowMiddleware(
    ///         backend: backend,
    ///         callbackStorage: DedupCallbackStorage(newStore).reading(FileCallbackStorage(directory: "/srv/old")))
    public func reading(_ older: any CallbackStorage...) -> some CallbackStorage {
        ReadingCallbackStorage(current: self, older: older)
    }
}

/// Stores with one storage, reads with several.
struct ReadingCallbackStorage: CallbackStorage {
    let current: any CallbackStorage
    let older: [any CallbackStorage]

    func store(_ callbacks: [CompletionCallback]) async throws -> JSONValue {
        try await current.store(callbacks)
    }

    func retrieve(_ reference: JSONValue) async throws -> [CompletionCallback] {
        try await firstThatWorks { storage in
            try await storage.retrieve(reference).map { callback in
                guard let stored = callback.remaining, let name = stored.reference else { return callback }
                // Two storages may read a reference alike and only one of them have what it stands for.
                let remaining = RemainingWorkflow(reference: name) {
                    do {
                        return try await stored.load()
                    } catch {
                        return try await load(callback.completionID, from: reference, after: error)
                    }
                }
                return CompletionCallback(
                    completionID: callback.completionID, remaining: remaining, propagates: callback.propagates)
            }
        }
    }

    func refresh(_ reference: JSONValue, for wait: Duration) async throws {
        try await firstThatWorks { try await $0.refresh(reference, for: wait) }
    }

    /// Loads what is left of a workflow with whichever storage can.
    private func load(
        _ completionID: String,
        from reference: JSONValue,
        after error: any Error
    ) async throws -> JSONValue {
        try await firstThatWorks { storage in
            let callbacks = try await storage.retrieve(reference)
            guard let remaining = callbacks.first(where: { $0.completionID.hasSameBytes(as: completionID) })?.remaining
            else {
                throw error
            }
            return try await remaining.load()
        }
    }

    /// - Throws: what the current storage throws, if none works; but if it knows nothing of what is asked for, and an
    ///   older one does, that one's.
    private func firstThatWorks<Result: Sendable>(
        _ body: (any CallbackStorage) async throws -> Result
    ) async throws -> Result {
        do {
            return try await body(current)
        } catch {
            var telling = error
            for storage in older {
                do {
                    return try await body(storage)
                } catch {
                    if (telling as? WorkflowError)?.code == .foreignReference { telling = error }
                }
            }
            throw telling
        }
    }
}
