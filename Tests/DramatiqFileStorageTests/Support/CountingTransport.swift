import Dramatiq
import Synchronization

/// Counts the messages that are sent, and the bytes that they take on the wire.
final class CountingTransport: TransportWrapper {
    struct Counts: Sendable, Equatable {
        var messages = 0
        var bytes = 0
        var largest = 0
    }

    let base: any Transport
    private let state = Mutex(Counts())

    init(_ base: InMemoryTransport) {
        self.base = base
    }

    var counts: Counts { state.withLock(\.self) }

    func commit(_ commits: [Commit]) async -> [Result<CommitResult, any Error>] {
        let results = await base.commit(commits)
        for (commit, result) in zip(commits, results) { count(commit, result) }
        return results
    }

    func commitNow(_ commit: Commit) -> Result<CommitResult, any Error>? {
        let result = base.commitNow(commit)
        if let result { count(commit, result) }
        return result
    }

    private func count(_ commit: Commit, _ result: Result<CommitResult, any Error>) {
        guard case .success(let result) = result, result.status != .opened else { return }
        let successors = result.status == .committed ? Array(commit.successors) : []
        for envelope in Array(commit.sends) + successors {
            guard let size = try? envelope.encoded().count else { continue }
            state.withLock { counts in
                counts.messages += 1
                counts.bytes += size
                counts.largest = max(counts.largest, size)
            }
        }
    }
}
