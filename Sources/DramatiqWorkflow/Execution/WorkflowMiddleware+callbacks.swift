import Dramatiq

/// What is sent when a run or a group ends, in the commit that ends it.
///
/// The store keeps the callbacks. It refuses a commit that ends a run which has some, as one that opens a barrier; what is to
/// be sent is prepared then, and committed with the end. So runs without callbacks cost nothing for this.
extension WorkflowMiddleware {
    /// What a run and its groups send when they end.
    ///
    /// - Parameter groups: those of its groups.
    /// - Throws: ``WorkflowError/Code/invalidRunCallbacks``, `BrokerError`, or why a message's arguments can't be encoded.
    func callbacks(
        _ workflow: Workflow,
        groups: [[Message?]],
        isTracked: Bool
    ) throws -> (run: RunCallbacks, groups: [RunCallbacks]) {
        let all = [[workflow.onSuccess, workflow.onFailure, workflow.onEnd]] + groups
        if all.allSatisfy({ $0.allSatisfy { $0 == nil } }) { return (RunCallbacks(), []) }
        guard isTracked else { throw WorkflowError.invalidRunCallbacks("its run is not tracked") }
        var size = 0
        let callbacks = try all.map { messages in
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
            return RunCallbacks(onSuccess: objects[0], onFailure: objects[1], onEnd: objects[2])
        }
        guard size <= RunCallbacks.maxSize else {
            throw WorkflowError.invalidRunCallbacks("they have \(size) bytes, more than \(RunCallbacks.maxSize)")
        }
        return (callbacks[0], Array(callbacks.dropFirst()))
    }

    /// The messages that the end of a run or a group sends.
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
    /// - Parameters:
    ///   - groups: the ids of the barriers of groups that fail with it.
    func announceEnd(
        ofRun state: RunState,
        groups: [String] = [],
        _ context: inout MessageContext
    ) async throws {
        for group in groups { try await announceEnd(ofGroup: group, state, &context) }
        context.state?.run?.decides = true
        guard let run = context.state?.run, let store = backend.runStore,
            let status = try await store.run(
                run.id, index: runIndex(context.broker), limit: RunReport.maxFailures)
        else { return }
        let callbacks = try await store.callbacks(of: run.id, group: nil)
        try await send(callbacks, RunReport(status, state, failing: Self.failure(run.ended)), &context)
    }

    /// Sends with the commit of a message what the end of a group sends.
    ///
    /// - Parameter id: the group's barrier.
    func announceEnd(
        ofGroup id: String,
        _ state: RunState,
        _ context: inout MessageContext
    ) async throws {
        guard let number = GroupMark(id)?.number, let run = context.state?.run, let store = backend.runStore else {
            return
        }
        let callbacks = try await store.callbacks(of: run.id, group: number)
        guard !callbacks.messages(for: state).isEmpty,
            let summary = try await store.run(run.id, index: runIndex(context.broker), limit: 0)?.run
        else { return }
        var failures: [RunStatus.Failure] = []
        var count = 0
        var position: String?
        repeat {
            let page = try await store.failures(of: run.id, from: position, limit: 1000)
            for failure in page.failures where failure.groups.contains(where: { $0.hasSameBytes(as: id) }) {
                if failures.count < RunReport.maxFailures { failures.append(failure) }
                count += 1
            }
            position = page.next
        } while position != nil
        let status = RunStatus(
            run: summary, tasks: [:], openBarriers: [], openBarrierCount: 0, failures: failures, failureCount: count)
        try await send(callbacks, RunReport(status, state, failing: Self.failure(run.ended)), &context)
    }

    /// The failure of the task that ends with the commit, which the store doesn't have yet; `nil` if it has not failed.
    private static func failure(_ end: RunStep.TaskEnd?) -> RunStatus.Failure? {
        guard let end, end.outcome != .succeeded else { return nil }
        return RunStatus.Failure(end)
    }

    private func send(_ callbacks: RunCallbacks, _ report: RunReport, _ context: inout MessageContext) async throws {
        for message in try messages(callbacks, report) {
            if !context.enqueueSuccessorNow(message, delay: nil) {
                try await context.enqueueSuccessor(message, delay: nil)
            }
        }
    }
}
