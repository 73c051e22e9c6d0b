package import Dramatiq
import Logging

/// Keeps messages of runs from being processed that are paused or cancelled, or have failed.
extension WorkflowMiddleware: MessageGate, WorkerCompanion {
    /// How often a worker asks which runs are stopped.
    private static let interval = Duration.milliseconds(100)
    /// How long a worker that ends takes to say so.
    private static let farewell = Duration.milliseconds(500)

    package func mayWithhold(_ context: MessageContext) -> Bool {
        guard !stopped.isEmpty, context.delivered.hasOptions, let ties = context.delivered.message.workflowTies else {
            return false
        }
        // What has to be waited for, or can't be read, is looked at again.
        guard let callbacks = try? callbackStorage.retrieveNow(ties.reference) else { return true }
        guard let run = callbacks.first, run.isRun else { return false }
        return stopped[run.completionID] != nil
    }

    package func withhold(_ context: inout MessageContext) async throws {
        guard let ties = context.delivered.message.workflowTies, let store = backend.runStore else { return }
        let callbacks: [CompletionCallback]
        do {
            callbacks = try await self.callbacks(ties, of: context.delivered.message)
        } catch is RunIsOver {
            return context.withhold(nil)
        }
        guard let run = callbacks.first, run.isRun, let state = stopped[run.completionID] else { return }
        if state == .cancelled {
            return context.withhold(cancellation(context.delivered.message, ties.party, of: run.completionID))
        }
        let message = HeldMessage(
            messageID: context.delivered.message.messageID, actorName: context.delivered.message.taskActorName,
            queueName: context.delivered.delivery.queueName, payload: context.delivered.delivery.payload,
            since: SystemClock.milliseconds())
        switch try await store.hold(message, of: run.completionID, index: runIndex(context.broker)) {
        case .held:
            // For as long as a dead letter would be.
            try await keep(&context, ties, for: context.broker.transport.traits.deadLetterTTL)
            context.withhold(context.state)
        case .running:
            // It was not heard of yet.
            stopped.remove(run.completionID)
        case .revived:
            try await WorkflowRun(id: run.completionID, broker: context.broker).returnHeld(nil)
            stopped.remove(run.completionID)
        case .ended:
            context.withhold(cancellation(context.delivered.message, ties.party, of: run.completionID))
        case .unknown where !stopped.isHeardOf(run.completionID):
            // It was expected to fail here, and nothing is known of it: it stops nobody.
            stopped.remove(run.completionID)
        case .unknown:
            context.fail("The run of the message is \(state) and not kept any more, so the message can't be put aside")
        }
    }

    /// The end of a task whose run was cancelled.
    private func cancellation(_ message: Message, _ party: String, of runID: String) -> StateCommit {
        StateCommit(
            store: backend,
            run: RunStep(
                id: runID,
                ended: RunStep.TaskEnd(
                    actorName: message.taskActorName, messageID: party, outcome: .skipped,
                    reason: "The run has ended")))
    }

    // MARK: Learning of it

    /// Asks until it is cancelled.
    package func accompany(_ worker: Worker) async {
        guard let store = backend.runStore else { return }
        cleanup.setLogger(worker.broker.logger)
        var failures = 0
        while !Task.isCancelled {
            do {
                try await update(worker)
                failures = 0
            } catch {
                failures += 1
                // Messages tell loudly enough of an outage.
                let isOutage = (error as? any TransientError)?.isTransient ?? false
                if failures == 1 {
                    worker.broker.logger.log(
                        level: isOutage ? .debug : .error,
                        "Can't ask which runs are stopped: those that are cancelled or paused go on here",
                        metadata: ["error": "\(error)"])
                }
            }
            try? await Task.sleep(for: Self.interval * min(1 + failures, 10))
        }
        await Task { await finishCleanup() }.value
        guard let id = stopped.remove(worker) else { return }
        // Nobody has to wait for it then. In an outage it is forgotten by itself.
        let index = runIndex(worker.broker)
        await Task {
            await withTaskGroup(of: Void.self) { group in
                group.addTask { try? await store.forget(worker: id, index: index) }
                group.addTask { try? await Task.sleep(for: Self.farewell) }
                await group.next()
                group.cancelAll()
            }
        }.value
    }

    /// Learns which runs are stopped, and cancels what runs of those that were cancelled.
    func update(_ worker: Worker) async throws {
        guard let store = backend.runStore else { return }
        let cancelled = try await stopped.update(for: worker, from: store, index: runIndex(worker.broker))
        if cancelled.isEmpty { return }
        let ids = Set(cancelled.map { TextKey($0) })
        for delivered in worker.running {
            guard let ties = delivered.message.workflowTies, let run = try? await callbacks(ties).first, run.isRun,
                ids.contains(TextKey(run.completionID))
            else { continue }
            let state = cancellation(delivered.message, ties.party, of: run.completionID)
            worker.cancel(delivered) { $0.withhold(state) }
        }
    }
}
