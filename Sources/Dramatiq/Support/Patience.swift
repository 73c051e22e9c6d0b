/// Takes a step, and again with growing pauses while there is an outage.
///
/// - Parameters:
///   - patience: for how long.
///   - step: is told whether it was taken before, and may have been done.
/// - Throws: what the step throws that is no outage, or that it throws at last; `CancellationError`.
package func repeatingInOutages(
    for patience: Duration,
    _ step: (_ isRepeated: Bool) async throws -> Void
) async throws {
    let deadline = ContinuousClock.now + patience
    var pause = Duration.milliseconds(20)
    var isRepeated = false
    while true {
        do {
            return try await step(isRepeated)
        } catch let error as any TransientError where error.isOutage {
            guard ContinuousClock.now + pause < deadline else { throw error }
        }
        try await Task.sleep(for: pause)
        pause = min(pause * 2, .seconds(1))
        isRepeated = true
    }
}
