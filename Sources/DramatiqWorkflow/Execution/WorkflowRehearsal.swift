package import Dramatiq

/// Runs a workflow from its start to its end without its actors: every task counts as succeeded as soon as its message
/// is sent. Shows what running it sends.
package struct WorkflowRehearsal: Sendable {
    /// Where callbacks are kept.
    package let callbackStorage: any CallbackStorage

    package init(callbackStorage: any CallbackStorage = InlineCallbackStorage()) {
        self.callbackStorage = callbackStorage
    }

    /// Runs a workflow.
    ///
    /// - Parameters:
    ///   - workflow: the definition.
    ///   - visit: gets every message in the order in which they are sent, a delayed one as it lies in its delay queue.
    /// - Throws: what the storage or `visit` throws, `CancellationError`.
    package func run(_ workflow: WorkflowNode, visit: (Message) async throws -> Void) async throws {
        let transport = RehearsalTransport()
        let backend = InMemoryRateLimiterBackend()
        let middleware = WorkflowMiddleware(
            backend: backend, callbackStorage: callbackStorage, tracking: .disabled)
        let broker = Broker(transport: transport, middleware: [Pipelines(), middleware])
        try await Workflow(workflow, broker: broker).run()
        while let message = transport.next() {
            try Task.checkCancellation()
            try await visit(message)
            try await finish(message, broker, middleware)
        }
    }

    /// Does what follows from a task that has succeeded.
    private func finish(
        _ message: Message,
        _ broker: Broker,
        _ middleware: WorkflowMiddleware
    ) async throws {
        var context = MessageContext(
            broker: broker, message: message, actor: UndeclaredActor(name: message.actorName))
        try await Pipelines().afterProcessMessage(&context)
        try await middleware.beforeAck(&context)
        // Nobody else arrives, so it is this message that goes on.
        try await context.commitThrough { try await broker.pipeline.commit($0) }
    }
}
