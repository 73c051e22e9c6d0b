import Dramatiq
import Synchronization

/// A transport that does as a test tells it before or after it does its work.
final class InterceptedTransport: TransportWrapper {
    /// What happens at a commit that ends a delivery: may throw instead of it, or after it.
    struct Faults: Sendable {
        var before: @Sendable (Commit) throws -> Void = { _ in }
        var after: @Sendable (Commit, CommitResult) throws -> Void = { _, _ in }
    }

    let base: any Transport
    private let faults = Mutex(Faults())

    init(_ base: InMemoryTransport) {
        self.base = base
    }

    func set(_ faults: Faults) {
        self.faults.withLock { $0 = faults }
    }

    func commit(_ commits: [Commit]) async -> [Result<CommitResult, any Error>] {
        var results: [Result<CommitResult, any Error>] = []
        for commit in commits {
            if let result = commitNow(commit) { results.append(result) }
        }
        wakeConsumers()
        return results
    }

    func commitNow(_ commit: Commit) -> Result<CommitResult, any Error>? {
        guard let end = commit.end, end.outcome != .requeue else { return base.commitNow(commit) }
        let faults = self.faults.withLock { $0 }
        return Result {
            try faults.before(commit)
            guard let result = try base.commitNow(commit)?.get() else { throw Broken() }
            try faults.after(commit, result)
            return result
        }
    }
}

/// An outage that will be over at some time.
struct Outage: TransientError {}
/// Something that went wrong.
struct Broken: Error {}
