/// The order in which a commit is executed whose barriers are kept apart from the messages, so that there is no one step
/// for both. It stands here and nowhere else.
///
/// The result comes first, which whatever follows may ask for, then the arrival, the new barriers and the refreshes, then
/// the messages with the end of the delivery, and the releases at last, with the task's end as its run counts it. A crash
/// or a lost answer in between means that the steps are done again: that can start the next step of a workflow twice, but
/// loses nothing and starts nothing too early. What a run counts can be wrong by that.
struct SplitCommit {
    let commit: Commit
    let state: StateCommit

    /// Executes the commit.
    ///
    /// - Parameters:
    ///   - transport: commits the part without barriers.
    ///   - releaseDidFail: is told why a release could not be recorded. All that follows from it is done by then; only a
    ///     party that comes twice would still need to know.
    func run(
        transport: (Commit) async throws -> CommitResult,
        releaseDidFail: (any Error) -> Void
    ) async throws -> CommitResult {
        try await commit.result?.storeApart()
        if let run = state.run, !run.decides, state.endsRun, let store = state.store.runStore,
            try await !store.callbacks(of: run.id, group: nil).isEmpty
        {
            return CommitResult(.opened)
        }
        var isReleased = true
        var releases = state.releases
        if let run = state.run, !run.groupFailures.isEmpty {
            var failing = RunStep(id: run.id, index: run.index)
            failing.groupFailures = run.groupFailures.filter { failure in
                !releases.contains { $0.key.hasSameBytes(as: failure.barrier.key) }
            }
            switch try await apply({ $0.run = failing }) {
            case .opened: return CommitResult(.opened)
            case .alreadyReleased: isReleased = false
            case .committed, .waiting: break
            }
        }
        if isReleased, var arrival = state.arrival {
            let releasesIt = arrival.releases
            arrival.releases = false
            switch try await apply({ $0.arrival = arrival }) {
            case .opened where releasesIt: releases.append(arrival.barrier)
            case .opened: return CommitResult(.opened)
            case .committed: isReleased = !releasesIt
            case .waiting, .alreadyReleased: isReleased = false
            }
        }
        if let run = state.run, !run.returned.isEmpty, try await !hasAll(run) { isReleased = false }
        if let run = state.run, run.cancels, try await !isUnderWay(run) { isReleased = false }
        try await make(
            isReleased ? state.creations : [], refreshing: state.refreshes, isReleased ? sentOfRun : nil)
        var rest = commit
        rest.state = nil
        rest.result = nil
        if !isReleased { rest.successors = [] }
        var result = try await transport(rest)
        if !isReleased { result.status = .notReleased }
        do {
            try await release(isReleased ? releases : [], endOfTask(isReleased))
        } catch {
            releaseDidFail(error)
        }
        return result
    }

    /// What the commit means for its run before the messages are sent.
    private var sentOfRun: RunStep? {
        guard var run = state.run,
            run.beginning != nil || !run.sent.isEmpty || !run.added.isEmpty || !run.stored.isEmpty
                || !state.creations.isEmpty
        else { return nil }
        run.ended = nil
        run.returned = []
        run.groupFailures = []
        run.cancels = false
        return run
    }

    /// What it means once the delivery has ended.
    private func endOfTask(_ isReleased: Bool) -> RunStep? {
        guard var run = state.run else { return nil }
        run.beginning = nil
        run.sent = []
        run.added = []
        run.stored = []
        run.groupFailures = []
        if !isReleased {
            run.returned = []
            run.cancels = false
        }
        return run
    }

    /// Whether a run is under way and has all messages that go back to their queues.
    private func hasAll(_ run: RunStep) async throws -> Bool {
        guard let store = state.store.runStore,
            try await store.run(run.id, index: run.index, limit: 0)?.run.state == .running
        else { return false }
        let held = try await store.heldMessages(of: run.id, limit: .max)
        let ids = Set(held.map { TextKey($0.messageID) })
        return run.returned.allSatisfy { ids.contains(TextKey($0.messageID)) }
    }

    private func isUnderWay(_ run: RunStep) async throws -> Bool {
        guard let status = try await state.store.runStore?.run(run.id, index: run.index, limit: 0) else { return false }
        return !status.run.state.isEnded
    }

    private func make(
        _ creations: [StateCommit.Creation],
        refreshing refreshes: [BarrierKey],
        _ run: RunStep?
    ) async throws {
        guard !creations.isEmpty || !refreshes.isEmpty || run != nil else { return }
        if state.store.atomicity == .commit {
            try await apply {
                $0.creations = creations
                $0.refreshes = refreshes
                $0.run = run
            }
            return
        }
        for creation in creations { try await apply { $0.creations = [creation] } }
        for barrier in refreshes { try await apply { $0.refreshes = [barrier] } }
    }

    private func release(_ releases: [BarrierKey], _ run: RunStep?) async throws {
        guard !releases.isEmpty || run != nil else { return }
        if state.store.atomicity == .commit {
            try await apply {
                $0.releases = releases
                $0.run = run
            }
            return
        }
        for barrier in releases { try await apply { $0.releases = [barrier] } }
    }

    @discardableResult
    private func apply(_ change: (inout StateCommit) -> Void) async throws -> StateCommit.Result {
        var steps = StateCommit(store: state.store)
        change(&steps)
        return try await state.store.apply(steps)
    }
}
