import Logging

/// A broker's middleware, sorted by the hooks that they implement.
final class MiddlewareChain: Sendable {
    /// A middleware before a message is processed, and its way to do that without waiting.
    private struct Preparation {
        let middleware: any Middleware
        let immediate: (any ImmediateMiddleware)?
    }

    /// A middleware at a later hook, and its way to say that it has nothing to do.
    private struct Step {
        let middleware: any Middleware
        let selective: (any SelectiveMiddleware)?

        func isConcerned(_ context: MessageContext, at hook: MiddlewareHooks) -> Bool {
            selective?.isConcerned(context, at: hook) ?? true
        }
    }

    let middleware: [any Middleware]
    /// The name of a middleware that stands in the list more than once.
    let duplicate: String?
    let actorOptions: Set<String>
    let optionScreen: OptionScreen
    let processing: [any ProcessingMiddleware]
    let changesEnqueues: Bool
    let observesEnqueues: Bool
    let observesDelays: Bool
    private let beforeEnqueue: [any Middleware]
    private let afterEnqueue: [any Middleware]
    private let beforeDelay: [any Middleware]
    /// Whether every middleware at the hooks after a success is a ``SelectiveMiddleware``.
    private let isSelective: Bool
    private let beforeProcess: [Preparation]
    private let afterProcess: [Step]
    private let afterSkip: [Step]
    private let beforeAck: [Step]
    private let afterAck: [any Middleware]
    private let beforeNack: [Step]
    private let afterNack: [any Middleware]
    private let afterRequeue: [any Middleware]
    private let logger: Logger

    init(_ middleware: [any Middleware], logger: Logger) {
        func having(_ hook: MiddlewareHooks) -> [any Middleware] { middleware.filter { $0.hooks.contains(hook) } }
        func steps(_ hook: MiddlewareHooks) -> [Step] {
            having(hook).map { Step(middleware: $0, selective: $0 as? any SelectiveMiddleware) }
        }
        self.middleware = middleware
        self.logger = logger
        duplicate = middleware.duplicate
        actorOptions = middleware.reduce(into: []) { $0.formUnion($1.actorOptions) }
        optionScreen = OptionScreen(middleware.flatMap(\.servedOptions), logger: logger)
        processing = middleware.compactMap { $0 as? any ProcessingMiddleware }
        beforeEnqueue = having(.beforeEnqueue)
        afterEnqueue = having(.afterEnqueue).reversed()
        beforeDelay = having(.beforeDelayMessage)
        beforeProcess = having(.beforeProcessMessage).map {
            Preparation(middleware: $0, immediate: $0 as? any ImmediateMiddleware)
        }
        afterProcess = steps(.afterProcessMessage).reversed()
        afterSkip = having(.afterSkipMessage).reversed().map { Step(middleware: $0, selective: nil) }
        beforeAck = steps(.beforeAck)
        isSelective = (afterProcess + beforeAck).allSatisfy { $0.selective != nil }
        afterAck = having(.afterAck).reversed()
        beforeNack = steps(.beforeNack)
        afterNack = having(.afterNack).reversed()
        afterRequeue = having(.afterRequeue).reversed()
        changesEnqueues = !beforeEnqueue.isEmpty
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

    /// Runs the hooks before the actor as far as they have nothing to wait for.
    ///
    /// - Returns: from where ``willProcess(_:_:from:)`` has to go on; `nil` if there is no more to do.
    func prepare(_ context: inout MessageContext) -> Int? {
        if context.delivered.hasOptions, let refusal = optionScreen.refusal(context) {
            context.refuse(refusal)
            return nil
        }
        for index in beforeProcess.indices {
            guard let immediate = beforeProcess[index].immediate else { return index }
            let before = context.effects
            do {
                try immediate.prepare(&context)
            } catch is SkipMessage {
                context.effects.isSkipped = true
                return nil
            } catch let error as OptionError {
                context.effects = before
                context.refuse(error)
                return nil
            } catch {
                // Run once more where there is time to recover.
                context.effects = before
                return index
            }
        }
        return nil
    }

    func willProcess(_ context: inout MessageContext, _ retrying: TransitionRetry, from start: Int) async {
        for preparation in beforeProcess[start...] where !context.isRequeued {
            let middleware = preparation.middleware
            let before = context.effects
            do {
                try await middleware.beforeProcessMessage(&context)
            } catch is SkipMessage {
                context.effects.isSkipped = true
                return
            } catch let error as OptionError {
                context.effects = before
                return context.refuse(error)
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

    /// Whether there is more to do after a message's actor than to settle it.
    func isConcerned(_ context: MessageContext) -> Bool {
        if context.isSkipped || context.isFailed || context.error != nil { return true }
        if isSelective, !context.delivered.hasAnyOptions { return false }
        for step in afterProcess where step.isConcerned(context, at: .afterProcessMessage) { return true }
        for step in beforeAck where step.isConcerned(context, at: .beforeAck) { return true }
        return false
    }

    /// Whether somebody wants to know that a message was settled.
    func observesSettlement(_ outcome: Settlement.Outcome) -> Bool {
        if observesEnqueues { return true }
        return switch outcome {
        case .acknowledge: !afterAck.isEmpty
        case .reject: !afterNack.isEmpty
        case .requeue: !afterRequeue.isEmpty
        }
    }

    func didProcess(_ context: inout MessageContext, _ retrying: TransitionRetry) async {
        await run(afterProcess, .afterProcessMessage, "afterProcessMessage", &context, retrying) {
            try await $0.afterProcessMessage(&$1)
        }
    }

    func didSkip(_ context: inout MessageContext, _ retrying: TransitionRetry) async {
        await run(afterSkip, .afterSkipMessage, "afterSkipMessage", &context, retrying) {
            try await $0.afterSkipMessage(&$1)
        }
    }

    /// The last additions to a settlement. A middleware that fails here for good turns an acknowledgement into a
    /// rejection, so the hooks of that one run too.
    func willSettle(_ context: inout MessageContext, _ retrying: TransitionRetry) async {
        if !context.isFailed {
            await run(beforeAck, .beforeAck, "beforeAck", &context, retrying) { try await $0.beforeAck(&$1) }
        }
        if context.isFailed { await willReject(&context, retrying) }
    }

    /// The last additions to a rejection.
    func willReject(_ context: inout MessageContext, _ retrying: TransitionRetry) async {
        await run(beforeNack, .beforeNack, "beforeNack", &context, retrying) { try await $0.beforeNack(&$1) }
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
        _ steps: [Step],
        _ hook: MiddlewareHooks,
        _ hookName: String,
        _ context: inout MessageContext,
        _ retrying: TransitionRetry,
        _ call: @Sendable (any Middleware, inout MessageContext) async throws -> Void
    ) async {
        for step in steps where !context.isRequeued && step.isConcerned(context, at: hook) {
            let middleware = step.middleware
            let before = context.effects
            do {
                try await call(middleware, &context)
            } catch {
                // What a failed hook has added so far must not be sent.
                context.effects = before
                await recover(error, middleware, hookName, &context, retrying, call)
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
        if let error = error as? OptionError {
            // The fault is the message's, so the middleware's policy has no say.
            return context.fail(context.error.map { "\($0). \(error)" } ?? "\(error)")
        }
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
                context.requeue()
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
