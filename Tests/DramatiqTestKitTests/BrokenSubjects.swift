import Dramatiq
import DramatiqTestKit
import DramatiqWorkflow
import TestSupport
import Testing

/// A store that is wrong in one way.
struct TamperedStore: StateStore {
    let base: InMemoryRateLimiterBackend
    let tamper: @Sendable (InMemoryRateLimiterBackend, StateCommit) async throws -> StateCommit.Result

    var identity: StoreIdentity { base.identity }
    var atomicity: StateAtomicity { base.atomicity }

    func apply(_ steps: StateCommit) async throws -> StateCommit.Result { try await tamper(base, steps) }
}

/// A transport that is wrong in one way.
struct TamperedTransport: TransportWrapper {
    let base: any Transport
    var changeTraits: @Sendable (inout TransportTraits) -> Void = { _ in }
    var change: @Sendable (inout Commit) -> Void = { _ in }
    var changeResults: @Sendable (inout [Result<CommitResult, any Error>]) -> Void = { _ in }

    var traits: TransportTraits {
        var traits = base.traits
        traits.isImmediate = false
        changeTraits(&traits)
        return traits
    }

    func includes(_ backend: any ResultBackend) -> Bool { base.includes(backend) }

    func commit(_ commits: [Commit]) async -> [Result<CommitResult, any Error>] {
        var results = await base.commit(
            commits.map { commit in
                var commit = commit
                change(&commit)
                return commit
            })
        changeResults(&results)
        return results
    }

    func commitNow(_ commit: Commit) -> Result<CommitResult, any Error>? { nil }
}

/// Has a promise checked that must be found broken.
///
/// - Returns: how it is broken.
@discardableResult
func expectBroken<Subject>(
    _ name: String,
    of promises: [Promise<Subject>],
    on subject: Subject,
    sourceLocation: SourceLocation = #_sourceLocation
) async throws -> BrokenPromise {
    let promise = try #require(promises.first { $0.name == name }, sourceLocation: sourceLocation)
    let broken = await #expect(throws: BrokenPromise.self, sourceLocation: sourceLocation) {
        try await promise.check(subject)
    }
    #expect(broken?.promise == name, sourceLocation: sourceLocation)
    return try #require(broken, sourceLocation: sourceLocation)
}
