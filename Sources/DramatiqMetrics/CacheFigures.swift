import CoreMetrics
import DramatiqWorkflow
import Synchronization

/// Passes on what caches have counted themselves.
final class CacheFigures: Sendable {
    private let caches: [WorkflowCache]
    private let hits: Counter
    private let misses: Counter
    /// What was passed on.
    private let known = Mutex((hits: 0, misses: 0))

    init(_ caches: [WorkflowCache], _ factory: any MetricsFactory) {
        self.caches = caches
        hits = MetricDefinition.cacheHits.counter(factory)
        misses = MetricDefinition.cacheMisses.counter(factory)
    }

    func update() {
        known.withLock { known in
            let now = caches.reduce(into: (hits: 0, misses: 0)) { sum, cache in
                let lookups = cache.lookups
                sum.hits += lookups.hits
                sum.misses += lookups.misses
            }
            if now.hits > known.hits { hits.increment(by: now.hits - known.hits) }
            if now.misses > known.misses { misses.increment(by: now.misses - known.misses) }
            known = now
        }
    }
}
