import Synchronization

/// Whether a consumer has taken messages that are not in the work queue yet. What is taken past it in that time would
/// overtake them.
package final class Handover: Sendable {
    private let isPending = Atomic(false)

    package init() {}

    package var isUnderWay: Bool { isPending.load(ordering: .acquiring) }

    /// Messages were taken. To be called in the same step.
    package func begin() { isPending.store(true, ordering: .releasing) }

    /// They are in the work queue.
    package func end() { isPending.store(false, ordering: .releasing) }
}
