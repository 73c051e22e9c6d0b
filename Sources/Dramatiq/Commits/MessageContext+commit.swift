extension MessageContext {
    /// Commits what follows from the message, and goes on for as long as that opens barriers: prepares what follows then,
    /// and commits again. The one loop that does so.
    ///
    /// - Parameters:
    ///   - commit: commits. Its error ends the loop.
    ///   - preparing: runs a preparation, which it may repeat.
    /// - Returns: the last commit and what became of it.
    @discardableResult
    package mutating func commitThrough(
        _ commit: (Commit) async throws -> CommitResult,
        preparing: (inout MessageContext, @escaping Preparation) async throws -> Void = { try await $1(&$0) }
    ) async throws -> (commit: Commit, result: CommitResult) {
        while true {
            let current = self.commit
            let result = try await commit(current)
            guard result.status == .opened, let prepare = whenBarrierOpens else { return (current, result) }
            whenBarrierOpens = nil
            // It was kept before the arrival: see SplitCommit.
            if keptResult != nil, let state = current.state, !broker.transport.includes(state.store) {
                keptResult = nil
            }
            try await preparing(&self, prepare)
        }
    }
}
