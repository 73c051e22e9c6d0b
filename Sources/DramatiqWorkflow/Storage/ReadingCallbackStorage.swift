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

    func storeForRun(_ callbacks: [CompletionCallback]) async throws -> StoredCallbacks {
        try await current.storeForRun(callbacks)
    }

    /// Each removes what it has stored itself.
    func remove(_ contents: [String]) async throws {
        var failure: (any Error)?
        for storage in [current] + older {
            do {
                try await storage.remove(contents)
            } catch {
                failure = failure ?? error
            }
        }
        if let failure { throw failure }
    }

    func retrieve(_ reference: JSONValue) async throws -> [CompletionCallback] {
        try await firstThatWorks { storage in mending(try await storage.retrieve(reference), reference) }
    }

    func retrieveNow(_ reference: JSONValue) throws -> [CompletionCallback]? {
        // What it can't read, an older one may.
        ((try? current.retrieveNow(reference)) ?? nil).map { mending($0, reference) }
    }

    /// The same callbacks, with workflows that are loaded from wherever they are: two storages may read a reference alike
    /// and only one of them have what it stands for.
    private func mending(_ callbacks: [CompletionCallback], _ reference: JSONValue) -> [CompletionCallback] {
        callbacks.map { callback in
            guard let stored = callback.remaining, stored.value == nil else { return callback }
            let mended = stored.falling { error in
                try await remaining(of: callback.completionID, from: reference, after: error)
            }
            return CompletionCallback(
                completionID: callback.completionID, remaining: mended, propagates: callback.propagates)
        }
    }

    func refresh(_ reference: JSONValue, for wait: Duration) async throws {
        try await firstThatWorks { try await $0.refresh(reference, for: wait) }
    }

    /// What is left of a workflow by an older storage that has it.
    private func remaining(
        of completionID: String,
        from reference: JSONValue,
        after error: any Error
    ) async throws -> RemainingWorkflow {
        try await firstThatWorks { storage in
            let callbacks = try await storage.retrieve(reference)
            guard let remaining = callbacks.first(where: { $0.completionID.hasSameBytes(as: completionID) })?.remaining
            else {
                throw error
            }
            return try await remaining.loaded()
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
