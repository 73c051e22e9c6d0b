public import Dramatiq

extension Broker {
    /// The runs of workflows that were tracked, the latest first.
    ///
    ///     for try await run in broker.workflowRuns(state: .running, labels: ["customer": "42"]) { print(run.id) }
    ///
    /// They are asked for by the thousands. Listing takes time for those that are listed; with several conditions, for all
    /// that meet the rarest kind of them: a label, or else a name, or else a state.
    ///
    /// - Parameters:
    ///   - state: only those in this state.
    ///   - name: only those of workflows with this name.
    ///   - labels: only those with all of these labels.
    public func workflowRuns(
        state: RunState? = nil,
        name: String? = nil,
        labels: [String: String] = [:]
    ) -> WorkflowRuns {
        WorkflowRuns(broker: self, state: state, name: name, labels: labels)
    }

    /// Where the runs of workflows are kept.
    ///
    /// - Throws: ``WorkflowError/Code/middlewareMissing``, ``WorkflowError/Code/runsNotKept``.
    var runStore: (store: any RunStore, index: String) {
        get throws(WorkflowError) {
            guard let middleware = middleware(of: WorkflowMiddleware.self) else { throw .middlewareMissing }
            guard let store = middleware.backend.runStore else { throw .runsNotKept(middleware.backend) }
            return (store, middleware.runIndex(self))
        }
    }
}

/// Runs of workflows: see `Broker.workflowRuns(state:name:labels:)`.
public struct WorkflowRuns: AsyncSequence, Sendable {
    public typealias Element = RunSummary

    let broker: Broker
    let state: RunState?
    let name: String?
    let labels: [String: String]

    public struct AsyncIterator: AsyncIteratorProtocol {
        private let runs: WorkflowRuns
        private var page: ArraySlice<RunSummary> = []
        private var offset: Int? = 0

        init(_ runs: WorkflowRuns) {
            self.runs = runs
        }

        public mutating func next() async throws -> RunSummary? {
            while page.isEmpty, let offset {
                let (store, index) = try runs.broker.runStore
                let next = try await store.runs(
                    RunQuery(index: index, state: runs.state, name: runs.name, labels: runs.labels, offset: offset))
                page = next.runs[...]
                self.offset = next.nextOffset
            }
            return page.popFirst()
        }
    }

    public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(self) }

    /// Lets those of the runs go on that are paused, one after the other: see ``WorkflowRun/resume(perSecond:)``.
    ///
    ///     try await broker.workflowRuns(state: .paused, labels: ["customer": "42"]).resume(perSecond: 50)
    ///
    /// - Parameter rate: how many messages go back to their queues in a second, of all runs together, so that a service which
    ///   they need is not flooded. Defaults to 100.
    /// - Returns: how many runs there were, and how many messages have gone back.
    /// - Throws: as ``WorkflowRun/resume(perSecond:)``. The runs before the one that it is thrown for go on.
    @discardableResult
    public func resume(perSecond rate: Int = 100) async throws -> (runs: Int, messages: Int) {
        try await each(.paused, perSecond: rate) { try await $0.resume(pace: $1) }
    }

    /// Has those of the runs go on that have failed, one after the other: see ``WorkflowRun/retryFailed(perSecond:)``.
    ///
    /// - Parameter rate: how many messages go back to their queues in a second, of all runs together, so that a service which
    ///   they need is not flooded. Defaults to 100.
    /// - Returns: how many runs there were, and how many messages have gone back.
    /// - Throws: as ``WorkflowRun/retryFailed(perSecond:)``. The runs before the one that it is thrown for go on.
    @discardableResult
    public func retryFailed(perSecond rate: Int = 100) async throws -> (runs: Int, messages: Int) {
        try await each(.failed, perSecond: rate) { try await $0.retryFailed(pace: $1) }
    }

    private func each(
        _ state: RunState,
        perSecond rate: Int,
        _ body: (WorkflowRun, Pace) async throws -> Int
    ) async throws -> (runs: Int, messages: Int) {
        // Listed first, since each changes the lists.
        var ids: [String] = []
        for try await run in self where run.state == state { ids.append(run.id) }
        let pace = Pace(perSecond: rate)
        var count = 0
        for id in ids { count += try await body(WorkflowRun(id: id, broker: broker), pace) }
        return (ids.count, count)
    }
}
