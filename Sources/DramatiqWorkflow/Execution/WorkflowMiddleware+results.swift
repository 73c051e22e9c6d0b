public import Dramatiq

/// Gives actors the results of earlier steps that their messages take.
///
/// A message carries only where they are. They are read before its actor runs, in every attempt anew, so the message in the
/// queue stays small, and is the same whether it is delivered again, tried again, or requeued from the dead letters.
extension WorkflowMiddleware: ImmediateMiddleware {
    /// A result that can't be found: not yet, or not any more.
    struct MissingResult: Error, CustomStringConvertible {
        let key: ResultKey

        var description: String {
            func text(_ name: String) -> String { PrintableText.escape(name, limit: 200) }
            return "There is no result of message \(text(key.messageID)) of actor '\(text(key.actorName))' in queue "
                + "'\(text(key.queueName))': the worker that ran it has no Results with the backend of this one, or the time "
                + "for which results are kept is over. Requeue that message, or start the workflow again"
        }
    }

    /// Results have to be waited for, which ``beforeProcessMessage(_:)`` does.
    private struct HasToWait: Error {}

    package func prepare(_ context: inout MessageContext) throws {
        if context.delivered.hasOptions, context.delivered.message.options.has(TakenResults.option) {
            throw HasToWait()
        }
    }

    /// Reads the results that the message takes.
    ///
    /// - Throws: ``WorkflowError/Code/invalidResults``, ``WorkflowError/Code/resultsNotKept``, `ResultError`, or what the
    ///   backend of the results throws.
    public func beforeProcessMessage(_ context: inout MessageContext) async throws {
        guard context.delivered.hasOptions,
            let value = context.delivered.message.options.value(TakenResults.option)
        else { return }
        let taken = try TakenResults(value)
        let keys = try taken.keys()
        guard let results = context.broker.middleware(of: Results.self) else { throw WorkflowError.resultsNotKept }
        let found = try await results.values(for: keys)
        var values: [JSONValue] = []
        values.reserveCapacity(found.count)
        for (key, value) in zip(keys, found) {
            // Python starts what follows before it has kept the result if its Results stands before its WorkflowMiddleware, so
            // this is no permanent error: it is tried again for a while.
            guard let value else { throw MissingResult(key: key) }
            values.append(value)
        }
        context.precedeArguments(with: taken.arguments(values))
    }

    /// The definition of a workflow in which tasks take results, as it is started.
    ///
    /// - Throws: `WorkflowError`.
    func resolvingResults(_ root: WorkflowNode, _ broker: Broker) throws -> WorkflowNode {
        let sources = try ResultSources(root)
        guard sources.taken.isEmpty || broker.middleware(of: Results.self) != nil else {
            throw WorkflowError.resultsNotKept
        }
        // For as long as the barriers of what comes next, which may be among the dead letters for a while.
        let ttl = sources.delay + longestWait + barrierTTL + broker.transport.traits.deadLetterTTL
        var plan = ResultPlan(sources, ttl: min(ttl, .seconds(100 * 365 * 86_400)).milliseconds)
        return try plan.resolve(root)
    }
}
