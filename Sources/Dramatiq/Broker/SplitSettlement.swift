/// The order in which a delivery is settled whose barriers are kept apart from the messages, so that there is no one step
/// for both.
///
/// The arrival comes first, then the new barriers and the renewals, then the messages with the end of the delivery, and
/// the releases at last. A crash or a lost answer in between means that the steps are done again: that can start the next
/// step of a workflow twice, but loses nothing and starts nothing too early.
package struct SplitSettlement: Sendable {
    private let barriers: BarrierCommit

    package init(_ barriers: BarrierCommit) {
        self.barriers = barriers
    }

    /// Settles a delivery.
    ///
    /// - Parameters:
    ///   - end: ends the delivery and sends its messages; the successors only if told so.
    ///   - releaseDidFail: is told why a release could not be recorded. All that follows from it is done by then; only a
    ///     party that comes twice would still need to know.
    package func settle(
        end: (_ sendsSuccessors: Bool) async throws -> SettlementResult,
        releaseDidFail: (any Error) -> Void
    ) async throws -> SettlementResult {
        let backend = barriers.backend
        var isReleased = true
        var releases = barriers.releases
        if var arrival = barriers.arrival {
            let releasesIt = arrival.releases
            arrival.releases = false
            switch try await backend.commit(BarrierCommit(backend: backend, arrival: arrival)) {
            case .opened where releasesIt: releases.append(arrival.barrier)
            case .opened: return .barrierOpened
            case .committed: isReleased = !releasesIt
            case .waiting, .alreadyReleased: isReleased = false
            }
        }
        let creations = isReleased ? barriers.creations : []
        if !creations.isEmpty || !barriers.renewals.isEmpty {
            _ = try await backend.commit(
                BarrierCommit(backend: backend, creations: creations, renewals: barriers.renewals))
        }
        let result = try await end(isReleased)
        if isReleased, !releases.isEmpty {
            do {
                _ = try await backend.commit(BarrierCommit(backend: backend, releases: releases))
            } catch {
                releaseDidFail(error)
            }
        }
        return isReleased ? result : .notReleased
    }
}
