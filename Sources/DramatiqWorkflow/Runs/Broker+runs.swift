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
}
