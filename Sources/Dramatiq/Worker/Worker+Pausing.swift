import Logging

/// Paused queues. The transport hands out nothing more of them; what it did before goes back unless it has begun.
extension Worker {
    /// How long it takes at most to notice that a consumer's queue is paused.
    private static let pauseCheckInterval = Duration.milliseconds(200)

    /// Gives back what is held of paused queues, for as long as the worker takes messages.
    func watchPauses() async {
        while !Task.isCancelled {
            for source in workQueue.sources where source.consumer.isPaused {
                let items = workQueue.drain(of: source)
                // They came later than what was read.
                let others = unread.drain(of: source).map(\.delivery) + suspects.drain(of: source).map(\.delivery)
                await giveBack(items, and: others, source)
            }
            try? await Task.sleep(for: Self.pauseCheckInterval)
        }
    }

    /// Hands messages of a source to the processors, unless the queue was paused while they were read.
    func handOut(_ items: [WorkItem], _ source: WorkSource) async {
        guard source.consumer.isPaused else { return workQueue.push(items) }
        await giveBack(items, and: [], source)
    }

    /// Returns messages to the front of their queue.
    private func giveBack(_ items: [WorkItem], and others: [Delivery], _ source: WorkSource) async {
        let deliveries = items.map(\.delivery) + others
        if deliveries.isEmpty { return }
        // Whoever calls is cancelled when a shutdown begins; this step is finished all the same.
        await Task {
            // Each goes to the front, so the last one goes first.
            var commits = deliveries.reversed().map { Commit(.requeue, $0) }
            do {
                if let error = await commitOnce(&commits) {
                    try await retrying.repeat(after: error) {
                        if let error = await commitOnce(&commits) { throw error }
                    }
                }
            } catch {
                broker.logger.error(
                    "Messages can't be returned to their paused queue and stay unacknowledged",
                    metadata: [
                        "queue_name": "\(source.queueName)", "messages": "\(commits.count)", "error": "\(error)",
                    ])
            }
            source.finish(deliveries.count)
        }.value
        // Its turn is over, although no processor had it.
        if items.contains(where: { $0.delivery.crashes > 0 }) { suspects.noteEnd() }
    }

    /// Commits in their order. Those that failed are left, to be repeated, unless their message is another worker's.
    private func commitOnce(_ commits: inout [Commit]) async -> (any Error)? {
        var failed: [Commit] = []
        var last: (any Error)?
        for (var commit, result) in zip(commits, await broker.pipeline.commitInOrder(commits)) {
            guard case .failure(let error) = result, !isNotHeld(error) else { continue }
            commit.isRepeated = true
            failed.append(commit)
            last = error
        }
        commits = failed
        return last
    }
}
