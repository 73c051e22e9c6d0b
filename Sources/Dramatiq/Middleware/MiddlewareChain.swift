import Logging

/// A broker's middleware, sorted by the hooks that they implement.
struct MiddlewareChain: Sendable {
    let middleware: [any Middleware]
    let actorOptions: Set<String>
    let processing: [any ProcessingMiddleware]
    let observesEnqueues: Bool
    let observesDelays: Bool
    private let beforeEnqueue: [any Middleware]
    private let afterEnqueue: [any Middleware]
    private let beforeDelay: [any Middleware]
    private let beforeProcess: [any Middleware]
    private let afterProcess: [any Middleware]
    private let afterSkip: [any Middleware]
    private let beforeAck: [any Middleware]
    private let afterAck: [any Middleware]
    private let beforeNack: [any Middleware]
    private let afterNack: [any Middleware]
    private let afterRequeue: [any Middleware]
    private let logger: Logger

    init(_ middleware: [any Middleware], logger: Logger) {
        func having(_ hook: MiddlewareHooks) -> [any Middleware] { middleware.filter { $0.hooks.contains(hook) } }
        self.middleware = middleware
        self.logger = logger
        actorOptions = middleware.reduce(into: []) { $0.formUnion($1.actorOptions) }
        processing = middleware.compactMap { $0 as? any ProcessingMiddleware }
        beforeEnqueue = having(.beforeEnqueue)
        afterEnqueue = having(.afterEnqueue).reversed()
        beforeDelay = having(.beforeDelayMessage)
        beforeProcess = having(.beforeProcessMessage)
        afterProcess = having(.afterProcessMessage).reversed()
        afterSkip = having(.afterSkipMessage).reversed()
        beforeAck = having(.beforeAck)
        afterAck = having(.afterAck).reversed()
        beforeNack = having(.beforeNack)
        afterNack = having(.afterNack).reversed()
        afterRequeue = having(.afterRequeue).reversed()
        observesEnqueues = !afterEnqueue.isEmpty
        observesDelays = !beforeDelay.isEmpty
    }

    // MARK: Enqueuing

    func willEnqueue(_ message: inout Message, delay: Duration?, broker: Broker) async throws {
        for middleware in beforeEnqueue {
            try await middleware.beforeEnqueue(&message, delay: delay, broker: broker)
        }
    }

    func didEnqueue(_ message: Message, delay: Duration?, broker: Broker) async {
        for middleware in afterEnqueue {
            do {
                try await middleware.afterEnqueue(message, delay: delay, broker: broker)
            } catch {
                log(error, middleware, "afterEnqueue", message)
            }
        }
    }

    func willDelay(_ message: Message, broker: Broker) async {
        for middleware in beforeDelay {
            do {
                try await middleware.beforeDelayMessage(message, broker: broker)
            } catch {
                log(error, middleware, "beforeDelayMessage", message)
            }
        }
    }

    // MARK: Processing

    func willProcess(_ context: inout MessageContext, _ retrying: TransitionRetry) async {
        for middleware in beforeProcess {
            let before = context.effects
            do {
                try await middleware.beforeProcessMessage(&context)
            } catch is SkipMessage {
                context.effects.isSkipped = true
                return
            } catch {
                context.effects = before
                await recover(error, middleware, "beforeProcessMessage", &context, retrying) {
                    middleware, context in
                    do {
                        try await middleware.beforeProcessMessage(&context)
                    } catch is SkipMessage {
                        context.effects.isSkipped = true
                    }
                }
            }
        }
    }

    func didProcess(_ context: inout MessageContext, _ retrying: TransitionRetry) async {
        await run(afterProcess, "afterProcessMessage", &context, retrying) { try await $0.afterProcessMessage(&$1) }
    }

    func didSkip(_ context: inout MessageContext, _ retrying: TransitionRetry) async {
        await run(afterSkip, "afterSkipMessage", &context, retrying) { try await $0.afterSkipMessage(&$1) }
    }

    /// The last additions to a settlement. A middleware that fails here for good turns an acknowledgement into a
    /// rejection, so the hooks of that one run too.
    func willSettle(_ context: inout MessageContext, _ retrying: TransitionRetry) async {
        if !context.isFailed {
            await run(beforeAck, "beforeAck", &context, retrying) { try await $0.beforeAck(&$1) }
        }
        if context.isFailed { await willReject(&context, retrying) }
    }

    /// The last additions to a rejection.
    func willReject(_ context: inout MessageContext, _ retrying: TransitionRetry) async {
        await run(beforeNack, "beforeNack", &context, retrying) { try await $0.beforeNack(&$1) }
    }

    func didSettle(_ context: MessageContext, _ result: SettlementResult) async {
        if observesEnqueues {
            let settlement = context.settlement
            for envelope in settlement.enqueues + (result == .committed ? settlement.successors : []) {
                await didEnqueue(envelope.message, delay: envelope.delay, broker: context.broker)
            }
        }
        switch context.settlement.outcome {
        case .acknowledge: await run(afterAck, "afterAck", context) { try await $0.afterAck($1) }
        case .reject: await run(afterNack, "afterNack", context) { try await $0.afterNack($1) }
        case .requeue: await run(afterRequeue, "afterRequeue", context) { try await $0.afterRequeue($1) }
        }
    }

    private func run(
        _ list: [any Middleware],
        _ hook: String,
        _ context: inout MessageContext,
        _ retrying: TransitionRetry,
        _ call: @Sendable (any Middleware, inout MessageContext) async throws -> Void
    ) async {
        for middleware in list {
            let before = context.effects
            do {
                try await call(middleware, &context)
            } catch {
                // What a failed hook has added so far must not be sent.
                context.effects = before
                await recover(error, middleware, hook, &context, retrying, call)
            }
        }
    }

    private func run(
        _ list: [any Middleware],
        _ hook: String,
        _ context: MessageContext,
        _ call: @Sendable (any Middleware, MessageContext) async throws -> Void
    ) async {
        for middleware in list {
            do {
                try await call(middleware, context)
            } catch {
                log(error, middleware, hook, context.message)
            }
        }
    }

    private func recover(
        _ error: any Error,
        _ middleware: any Middleware,
        _ hook: String,
        _ context: inout MessageContext,
        _ retrying: TransitionRetry,
        _ call: @Sendable (any Middleware, inout MessageContext) async throws -> Void
    ) async {
        log(error, middleware, hook, context.message)
        guard middleware.failurePolicy == .retryThenReject else { return }
        let before = context.effects
        do {
            try await retrying.repeat(after: error) {
                context.effects = before
                try await call(middleware, &context)
            }
        } catch {
            context.effects = before
            if error is TransitionRetry.ShuttingDown {
                context.settlement.outcome = .requeue
            } else {
                context.fail("\(middleware.name).\(hook): \(error)")
            }
        }
    }

    private func log(_ error: any Error, _ middleware: any Middleware, _ hook: String, _ message: Message) {
        logger.error(
            "Middleware threw",
            metadata: [
                "middleware": "\(middleware.name)",
                "hook": "\(hook)",
                "message_id": "\(message.messageID)",
                "actor_name": "\(message.actorName)",
                "queue_name": "\(message.queueName)",
                "error": "\(error)",
            ]
        )
    }
}
