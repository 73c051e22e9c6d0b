public import Dramatiq

/// A run of a workflow: what ``Workflow/run()`` has started, here or in another process.
///
///     let run = try await workflow.run()
///     for await status in run.progress() { print(status.tasks.values.reduce(0) { $0 + $1.succeeded }) }
///     try await run.wait()
///
/// The id can be kept and makes the same handle anywhere: `WorkflowRun(id: id, broker: broker)`. Nothing is asked of
/// anybody before one of the methods is called.
public struct WorkflowRun: Sendable, Identifiable {
    /// The key of the run's barrier.
    public let id: String
    public let broker: Broker

    /// - Parameters:
    ///   - id: the run's id.
    ///   - broker: one with a ``WorkflowMiddleware`` whose backend the run is kept in.
    public init(id: String, broker: Broker) {
        self.id = id
        self.broker = broker
    }

    /// How far the run is, in one request, however large it is.
    ///
    /// - Parameter limit: how many open barriers and failures are listed; the others are counted. Defaults to 20.
    /// - Throws: ``WorkflowError/Code/runUnknown``, ``WorkflowError/Code/runsNotKept``,
    ///   ``WorkflowError/Code/middlewareMissing``, or what the backend throws.
    public func status(listing limit: Int = 20) async throws -> RunStatus {
        let (store, index) = try broker.runStore
        guard let status = try await store.run(id, index: index, limit: limit) else {
            throw WorkflowError.runUnknown(id)
        }
        return status
    }

    /// What becomes of the run: its status each time that it has changed, and the last one when it has ended.
    ///
    /// Ends early if the task is cancelled, or if the run is not known, which ``status(listing:)`` explains. It asks again
    /// for as long as the backend can't be reached.
    ///
    /// - Parameter interval: how often the backend is asked. Defaults to half a second.
    public func progress(every interval: Duration = .milliseconds(500)) -> WorkflowProgress {
        WorkflowProgress(run: self, interval: max(.milliseconds(1), interval))
    }

    /// Waits until the run has ended.
    ///
    /// - Parameter timeout: how long. Defaults to no limit.
    /// - Returns: what became of it: it has succeeded.
    /// - Throws: ``WorkflowError/Code/runFailed`` or ``WorkflowError/Code/runCancelled`` with what became of it,
    ///   ``WorkflowError/Code/runTimedOut`` with how far it was, `CancellationError`, or as ``status(listing:)``.
    @discardableResult
    public func wait(timeout: Duration? = nil) async throws -> RunStatus {
        let deadline = timeout.map { ContinuousClock.now + $0 }
        // Short ones are over soon; the others can bear to be asked about now and then.
        var pause = Duration.milliseconds(10)
        while true {
            let status = try await status()
            switch status.run.state {
            case .failed: throw WorkflowError.runFailed(status)
            case .cancelled: throw WorkflowError.runCancelled(status)
            case let state where state.isEnded: return status
            default: break
            }
            if let deadline {
                let left = ContinuousClock.now.duration(to: deadline)
                guard left > .zero else { throw WorkflowError.runTimedOut(status) }
                try await Task.sleep(for: min(pause, left))
            } else {
                try await Task.sleep(for: pause)
            }
            pause = min(pause * 3 / 2, .milliseconds(500))
        }
    }
}

extension WorkflowRun: CustomStringConvertible {
    public var description: String { "WorkflowRun(\(PrintableText.escape(id, limit: 200)))" }
}

/// How far a run is, over time: see ``WorkflowRun/progress(every:)``.
public struct WorkflowProgress: AsyncSequence, Sendable {
    public typealias Failure = Never

    let run: WorkflowRun
    let interval: Duration

    public struct AsyncIterator: AsyncIteratorProtocol {
        let run: WorkflowRun
        let interval: Duration
        private var latest: RunStatus?

        init(run: WorkflowRun, interval: Duration) {
            self.run = run
            self.interval = interval
        }

        public mutating func next(isolation actor: isolated (any Actor)?) async -> RunStatus? {
            if latest?.run.state.isEnded ?? false { return nil }
            var isFirst = latest == nil
            while true {
                do {
                    if !isFirst { try await Task.sleep(for: interval) }
                    isFirst = false
                    let status = try await run.status()
                    if status == latest { continue }
                    latest = status
                    return status
                } catch let error as any TransientError where error.isTransient {
                    if Task.isCancelled { return nil }
                } catch {
                    return nil
                }
            }
        }
    }

    public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(run: run, interval: interval) }
}
