import Dramatiq

/// How the barriers of workflows are kept.
public struct BarrierStyle: Sendable, Hashable {
    /// What is added to a barrier's key for that of its release.
    private let releaseSuffix: String?

    /// A barrier opens at most once, as dramatiq-workflow's `AtMostOnceBarrier`: the release is recorded under
    /// `<key>_ran`. Python workers with the same class take part.
    public static let atMostOnce = BarrierStyle(releaseSuffix: "_ran")
    /// Only arrivals are counted, as in dramatiq's `Barrier`. A message that is delivered again after the release can
    /// start the next step again.
    public static let counting = BarrierStyle(releaseSuffix: nil)

    /// How the barrier of a completion id is kept.
    func key(_ completionID: String, ttl: Duration) -> BarrierKey {
        BarrierKey(key: completionID, releaseKey: releaseSuffix.map { completionID + $0 }, ttl: ttl)
    }
}
