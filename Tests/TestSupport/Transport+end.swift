public import Dramatiq

extension Transport {
    /// Starts to take messages from a queue.
    public func consumer(of queue: String, prefetch: Int) async throws -> any TransportConsumer {
        try await consumer(of: queue, ConsumerOptions(prefetch: prefetch))
    }

    /// Ends a delivery.
    @discardableResult
    public func end(
        _ delivery: Delivery,
        _ outcome: Commit.Outcome = .acknowledge,
        sends: Envelopes = [],
        successors: Envelopes = [],
        state: StateCommit? = nil
    ) async throws -> CommitResult.Status {
        let commit = Commit(
            end: Commit.End(delivery, outcome), sends: sends, successors: successors, state: state)
        return try await self.commit(commit).status
    }

    /// Does a commit again whose answer was lost.
    @discardableResult
    public func commitAgain(_ commit: Commit) async throws -> CommitResult {
        var commit = commit
        commit.isRepeated = true
        return try await self.commit(commit)
    }
}
