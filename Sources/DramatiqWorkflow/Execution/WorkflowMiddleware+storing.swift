public import Dramatiq

/// What a run stores is noted for it in the commits that send its messages, and goes when the run has ended.
///
/// Where the storage has it on the Redis that keeps the run, it goes in the commit that ends the run. Elsewhere it goes right
/// after that: who has committed the end asks for what was noted and removes it. If that process is killed first, it stays
/// until it is swept.
extension WorkflowMiddleware: SelectiveObserver {
    /// How long a worker that ends waits for what is being removed.
    private static let cleanupFarewell = Duration.seconds(2)

    /// Stores the callbacks of a frame's messages, once.
    ///
    /// - Returns: what was stored for their run alone.
    func store(_ frame: CompletionFrame?) async throws -> [RunStep.Content] {
        guard let frame, frame.reference == nil else { return [] }
        let callbacks = frame.callbacks
        var contents: [RunStep.Content] = []
        let reference: JSONValue
        if let run = callbacks.first, run.isRun, backend.runStore != nil {
            let stored = try await callbackStorage.storeForRun(callbacks)
            reference = stored.reference
            if stored.isApart { frame.runOption = run.completionID }
            if !stored.contents.isEmpty { contents = self.contents(stored.contents, of: run.completionID) }
        } else {
            reference = try await callbackStorage.store(callbacks)
        }
        if let delay = Self.duration(frame.longestDelay) { try await callbackStorage.refresh(reference, for: delay) }
        frame.reference = reference
        return contents
    }

    private func contents(_ names: [String], of runID: String) -> [RunStep.Content] {
        let keyed = callbackStorage as? any KeyedCallbackStorage
        return names.map { name in
            guard let key = keyed?.key(of: name, in: backend.identity, beside: runID) else {
                return RunStep.Content(name: name)
            }
            return RunStep.Content(name: key, isKey: true)
        }
    }

    // MARK: Removing

    package var observesCommits: Bool { storesContents }

    /// Removes what was stored for runs that have ended with a commit.
    public func didCommit(_ commit: Commit, _ result: CommitResult) {
        guard let steps = commit.state, let run = steps.run else { return }
        if result.status == .committed, steps.endsRun, !(run.ended?.failsRun ?? false) {
            // If all of it has keys beside the run's it is gone.
            let keyed = callbackStorage as? any KeyedCallbackStorage
            if keyed?.hasKeys(in: backend.identity, beside: run.id) ?? false { return }
            removeContents(of: run.id)
        } else if run.ended != nil, stopped[run.id] == .cancelled {
            // It may have been the last message of it.
            removeContents(of: run.id)
        }
    }

    /// Removes what was stored for a run, if nothing of it needs that any more.
    func removeContents(of runID: String) {
        guard storesContents, let store = backend.runStore else { return }
        cleanup.add(runID, store, callbackStorage)
    }

    /// Waits for what is being removed, for a short while.
    func finishCleanup() async {
        await cleanup.finish(within: Self.cleanupFarewell)
    }

    // MARK: Messages that come once more

    /// The run of a message is over, and so nothing follows from the message.
    struct RunIsOver: Error {}

    /// The callbacks of a message.
    ///
    /// - Throws: ``RunIsOver`` if they can't be had since they have gone with their run; what the storage or the backend
    ///   throws.
    func callbacks(_ ties: Message.WorkflowTies, of message: Message) async throws -> [CompletionCallback] {
        do {
            return try await callbacks(ties)
        } catch {
            try await check(message.runOption, after: error)
            throw error
        }
    }

    /// The remaining workflow of a callback as JSON, and the stored content that it is a part of, if so.
    ///
    /// - Parameter run: the outermost of the message's callbacks.
    /// - Throws: as ``callbacks(_:of:)``.
    func open(
        _ remaining: RemainingWorkflow,
        ofRun run: CompletionCallback?
    ) async throws -> (workflow: JSONValue, origin: StoredOrigin?) {
        if let value = remaining.value { return (value, nil) }
        do {
            return try await remaining.open()
        } catch {
            try await check(run.flatMap { $0.isRun ? $0.completionID : nil }, after: error)
            throw error
        }
    }

    /// - Throws: ``RunIsOver`` if it is, what the backend throws.
    private func check(_ runID: String?, after error: any Error) async throws {
        let isOutage = (error as? any TransientError)?.isTransient ?? false
        guard !isOutage, !(error is CancellationError), let runID, let store = backend.runStore else { return }
        if try await store.isOver(runID) { throw RunIsOver() }
    }
}
