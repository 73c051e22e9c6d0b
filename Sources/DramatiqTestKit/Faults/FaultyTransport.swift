public import Dramatiq

/// A transport whose commits fail as a ``FaultSwitch`` has it, for a transport that can't fail by itself.
///
/// The transport beneath hears nothing of an answer that is lost. One with a server to talk to loses answers between
/// itself and the server instead, to meet what it does then.
public struct FaultyTransport: TransportWrapper {
    public let base: any Transport
    public let faults: FaultSwitch

    public init(_ base: any Transport, faults: FaultSwitch) {
        self.base = base
        self.faults = faults
    }

    public func includes(_ backend: any ResultBackend) -> Bool { base.includes(backend) }

    public func commit(_ commits: [Commit]) async -> [Result<CommitResult, any Error>] {
        let planned = commits.map { _ in faults.next() }
        let kept = commits.indices.filter { planned[$0] != .refuse }
        var results = [Result<CommitResult, any Error>](
            repeating: .failure(InjectedFault(fault: .refuse)), count: commits.count)
        if kept.isEmpty { return results }
        let answers = await base.commit(kept.map { Self.changed(commits[$0], planned[$0]) })
        for (index, answer) in zip(kept, answers) { results[index] = Self.changed(answer, planned[index]) }
        return results
    }

    public func commitNow(_ commit: Commit) -> Result<CommitResult, any Error>? {
        guard traits.isImmediate else { return nil }
        let fault = faults.next()
        if fault == .refuse { return .failure(InjectedFault(fault: .refuse)) }
        return base.commitNow(Self.changed(commit, fault)).map { Self.changed($0, fault) }
    }

    /// Nobody would know of a message that came with an answer that is lost.
    private static func changed(_ commit: Commit, _ fault: StepFault?) -> Commit {
        var commit = commit
        if fault == .loseAnswer { commit.relay = nil }
        return commit
    }

    private static func changed(
        _ result: Result<CommitResult, any Error>,
        _ fault: StepFault?
    ) -> Result<CommitResult, any Error> {
        guard fault == .loseAnswer, case .success = result else { return result }
        return .failure(InjectedFault(fault: .loseAnswer))
    }
}
