import CoreMetrics
package import Dramatiq
import Logging

/// Gauges are set from what is there, at an interval. Counting up and down would cost every message something and go wrong
/// for good with the first end that is missed.
extension MetricsMiddleware {
    package func accompany(_ worker: Worker) async {
        await withTaskGroup(of: Void.self) { group in
            if watchesQueues, let operations = try? worker.broker.operations {
                group.addTask { await watchQueues(of: worker, operations) }
            }
            while !Task.isCancelled {
                set(Sample(of: worker, table), of: worker)
                try? await Task.sleep(for: interval)
            }
        }
        set(Sample(), of: worker)
    }

    private func set(_ sample: Sample, of worker: Worker) {
        let total = samples.total(with: sample, of: worker)
        for figures in table.all {
            let count = total[figures.key]
            figures.inProgress.set(count.running)
            figures.delayedInProgress.set(count.delayed)
        }
        cacheFigures.update()
    }

    /// Asks how the queues do, until it is cancelled.
    private func watchQueues(of worker: Worker, _ operations: any QueueOperations) async {
        var known: [TextKey: QueueFigures] = [:]
        while !Task.isCancelled {
            for queue in (worker.queues ?? Set(worker.broker.queueNames)).sorted() {
                let figures = known[TextKey(queue)] ?? QueueFigures(queue, table.factory)
                known[TextKey(queue)] = figures
                do {
                    figures.set(try await operations.status(queue: queue), worker.broker.encoder)
                } catch {
                    if Task.isCancelled || error is OperationNotSupported { return }
                    worker.broker.logger.debug(
                        "A queue can't be measured for now",
                        metadata: ["queue_name": "\(queue)", "error": "\(error)"])
                }
            }
            try? await Task.sleep(for: interval)
        }
    }
}
