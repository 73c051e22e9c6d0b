import Dramatiq
import DramatiqWorkflow
import UnixSignals

/// The demo's first part: runs the eight tasks, and checks that the run is what the definition promises.
struct EightTasksDemo: Sendable {
    let tasks: EightTasks
    let concurrency: Int

    init(speed: Double, concurrency: Int) {
        self.init(EightTasks(speed: speed), concurrency: concurrency)
    }

    init(_ tasks: EightTasks, concurrency: Int) {
        self.tasks = tasks
        self.concurrency = concurrency
    }

    /// Runs the workflow and records what happens.
    ///
    /// - Parameter recorder: has to keep its history.
    /// - Returns: what was claimed, and whether it is true.
    /// - Throws: ``DemoFailure``, `CancellationError` after a signal.
    @discardableResult
    func run(recorder: EventRecorder, endingOn signals: [UnixSignal] = []) async throws -> [ClaimCheck] {
        let session = try EmbeddedSession(recorder: recorder, concurrency: concurrency)
        try await session.broker.declare(tasks.actors)
        let workflow = tasks.workflow(on: session.broker)
        try await session.run(endingOn: signals) {
            recorder.record(.workflowStarted("\(workflow)"))
            try await workflow.run()
            try await session.waitForTasks()
        }
        let check = ExecutionCheck(Precedence(of: workflow.root), recorder.history)
        let claims = check.claims(
            last: EightTasks.names.last ?? "", sideBySide: EightTasks.namesSideBySide, concurrency: concurrency)
        for claim in claims { recorder.record(.claimChecked(claim)) }
        let failures = claims.compactMap { claim in
            if case .fails(let reason) = claim.verdict { "\(claim.claim): \(reason)" } else { nil }
        }
        guard failures.isEmpty else { throw DemoFailure.claimsFailed(failures) }
        return claims
    }
}
