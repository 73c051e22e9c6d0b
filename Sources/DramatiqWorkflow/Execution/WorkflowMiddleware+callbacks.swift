import Dramatiq

/// What is sent when a run ends, in the commit that ends it.
///
/// The store keeps the callbacks. It refuses a commit that ends a run which has some, as one that opens a barrier; what is to
/// be sent is prepared then, and committed with the end. So runs without callbacks cost nothing for this.
extension WorkflowMiddleware {
    /// - Throws: ``WorkflowError/Code/invalidRunCallbacks``, `BrokerError`, or why a message's arguments can't be encoded.
    func callbacks(_ workflow: Workflow, isTracked: Bool) throws -> RunCallbacks {
        let messages = [workflow.onSuccess, workflow.onFailure, workflow.onEnd]
        if messages.allSatisfy({ $0 == nil }) { return RunCallbacks() }
        guard isTracked else { throw WorkflowError.invalidRunCallbacks("its run is not tracked") }
        var size = 0
        let objects = try messages.map { message -> JSONObject? in
            guard let message else { return nil }
            if let failure = message.argumentFailure { throw failure }
            guard !message.usesResults else {
                throw WorkflowError.invalidRunCallbacks(
                    "they are no steps, so they can't take results and have no names")
            }
            try QueueName.check(message.queueName)
            let object = message.jsonValue.objectValue
            size += object?.description.utf8.count ?? 0
            return object
        }
        guard size <= RunCallbacks.maxSize else {
            throw WorkflowError.invalidRunCallbacks("they have \(size) bytes, more than \(RunCallbacks.maxSize)")
        }
        return RunCallbacks(onSuccess: objects[0], onFailure: objects[1], onEnd: objects[2])
    }

    /// The messages that a run's end sends.
    func messages(_ callbacks: RunCallbacks, _ report: RunReport) throws -> [Message] {
        let value = try JSONValue(encoding: report)
        return try callbacks.messages(for: RunState(report.state)).map { object in
            var message = try Message(object)
            message.options[RunReport.optionName] = value
            message.messageTimestamp = .fractionalNow
            return message
        }
    }

    /// Ends a run with the commit of a message, together with what that sends.
    ///
    /// - Parameter failing: the message's task, if that is why the run has failed.
    func announceEnd(
        of runID: String,
        _ state: RunState,
        failing: RunStatus.Failure? = nil,
        _ context: inout MessageContext
    ) async throws {
        context.state?.run?.decides = true
        guard let store = backend.runStore,
            let status = try await store.run(
                runID, index: runIndex(context.broker), limit: RunReport.maxFailures)
        else { return }
        let callbacks = try await store.callbacks(of: runID)
        for message in try messages(callbacks, RunReport(status, state, failing: failing)) {
            if !context.enqueueSuccessorNow(message, delay: nil) {
                try await context.enqueueSuccessor(message, delay: nil)
            }
        }
    }
}
