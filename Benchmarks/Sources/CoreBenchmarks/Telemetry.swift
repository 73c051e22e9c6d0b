import BenchmarkSupport
import CoreMetrics
import Dramatiq
import DramatiqMetrics
import Synchronization

/// The price of telemetry, per task that does nothing: what is not there costs nothing, so "none" is how it is without.
func measureTelemetry(_ session: inout Session) async throws {
    guard session.includes("tasks with metrics") else { return }
    try await Embedded.run { none in
        try await Embedded.run(middleware: [MetricsMiddleware(factory: AtomicMetrics())]) { metrics in
            try await session.compare(
                Comparison(
                    "tasks with metrics", unit: "tasks", aims: [.atLeast(0.95, times: "none")],
                    Contestant("metrics", round: metrics.tasks(50_000)),
                    Contestant("none", round: none.tasks(50_000))))
        }
    }
}

/// Keeps figures as a backend does that is scraped: sums and histograms that any thread can add to.
private struct AtomicMetrics: MetricsFactory {
    private final class Sum: CounterHandler, MeterHandler {
        private let value = Atomic<Int64>(0)

        func increment(by amount: Int64) { value.add(amount, ordering: .relaxed) }
        func reset() { value.store(0, ordering: .relaxed) }
        func set(_ value: Int64) { self.value.store(value, ordering: .relaxed) }
        func set(_ value: Double) { set(Int64(value)) }
        func increment(by amount: Double) { increment(by: Int64(amount)) }
        func decrement(by amount: Double) { increment(by: -Int64(amount)) }
    }

    private final class Histogram: RecorderHandler, TimerHandler {
        private let bounds: [Double]
        private let state: Mutex<(counts: [Int], sum: Double)>

        init(_ bounds: [Double]) {
            self.bounds = bounds
            state = Mutex((Array(repeating: 0, count: bounds.count + 1), 0))
        }

        func record(_ value: Int64) { record(Double(value)) }
        func record(_ value: Double) {
            let place = bounds.firstIndex { value <= $0 } ?? bounds.count
            state.withLock { state in
                state.counts[place] += 1
                state.sum += value
            }
        }
        func recordNanoseconds(_ duration: Int64) { record(Double(duration) / 1e6) }
    }

    func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler { Sum() }
    func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler { Sum() }
    func makeRecorder(label: String, dimensions: [(String, String)], aggregate: Bool) -> any RecorderHandler {
        Histogram(MetricDefinition.all.first { $0.name == label }?.buckets ?? [])
    }
    func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler { Histogram([]) }
    func destroyCounter(_ handler: any CounterHandler) {}
    func destroyMeter(_ handler: any MeterHandler) {}
    func destroyRecorder(_ handler: any RecorderHandler) {}
    func destroyTimer(_ handler: any TimerHandler) {}
}
