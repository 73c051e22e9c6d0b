import Logging

/// A broker's middleware, sorted by the hooks that they conform to.
///
/// To call a middleware counts a reference to it, and what all processors count they wait for each other to count. So
/// each has a ``copy()``, and a hook is a closure, which is a reference of the copy's own. Every call that may suspend
/// costs a frame, so those between a processor and a hook are inlined.
final class MiddlewareChain: Sendable {
    private typealias Hook = @Sendable (inout MessageContext) async throws -> Void
    private typealias Observer = @Sendable (MessageContext) -> Void

    /// A middleware before a message is processed, and its way to do that without waiting.
    private final class Preparation: Sendable {
        let middleware: any Middleware
        let hook: Hook
        let prepare: (@Sendable (inout MessageContext) throws -> Void)?

        init(_ middleware: any BeforeProcessMessage) {
            self.middleware = middleware
            hook = { try await middleware.beforeProcessMessage(&$0) }
            if let immediate = middleware as? any ImmediateMiddleware {
                prepare = { try immediate.prepare(&$0) }
            } else {
                prepare = nil
            }
        }
    }

    /// A middleware's hook after an actor, and its way to say that it has nothing to do.
    private final class Step: Sendable {
        let middleware: any Middleware
        let name: String
        /// Whether it has something to do for a message; `nil` if it always may.
        let concern: (@Sendable (MessageContext) -> Bool)?
        let hook: Hook

        init(gate: any MessageGate) {
            middleware = gate
            name = "withhold"
            hook = { try await gate.withhold(&$0) }
            concern = { gate.mayWithhold($0) }
        }

        init(_ middleware: any Middleware, _ name: String, _ hook: @escaping Hook) {
            self.middleware = middleware
            self.name = name
            self.hook = hook
            if let selective = middleware as? any SelectiveMiddleware {
                concern = { selective.isConcerned($0) }
            } else {
                concern = nil
            }
        }

        func isConcerned(_ context: MessageContext) -> Bool {
            concern?(context) ?? true
        }
    }

    /// A middleware around an actor.
    private typealias Body = (Message) async throws -> ActorResult
    private typealias Surrounding = @Sendable (MessageContext, Body) async throws -> ActorResult

    let middleware: [any Middleware]
    /// The name of a middleware that stands in the list more than once.
    let duplicate: String?
    let actorOptions: Set<String>
    let optionScreen: OptionScreen
    private let processing: [Surrounding]
    private let noting: [@Sendable (MessageContext) -> Bool]
    private let notes = TaskNotes()
    let receiving: [any BeforeReceiveMessage]
    private let gates: [Step]
    private let beforeEnqueue: [any BeforeEnqueue]
    private let afterEnqueue: [any AfterEnqueue]
    private let beforeDelay: [any BeforeDelayMessage]
    /// Whether no middleware has anything to do after a success of a message without options whose actor has none.
    private let isSelective: Bool
    private let beforeProcess: [Preparation]
    private let afterProcess: [Step]
    private let afterSkip: [Step]
    private let beforeAck: [Step]
    private let beforeNack: [Step]
    private let afterAck: [Observer]
    private let afterNack: [Observer]
    private let afterRequeue: [Observer]
    private let afterNackUnread: [any AfterNackUnread]
    /// One processor's; the broker's own chain has none.
    private let watches: [any AttemptWatch]
    private let logger: Logger

    convenience init(_ middleware: [any Middleware], logger: Logger) {
        self.init(
            middleware, duplicate: middleware.duplicate,
            actorOptions: middleware.reduce(into: []) { $0.formUnion($1.actorOptions) },
            OptionScreen(middleware.flatMap(\.servedOptions), logger: logger), logger)
    }

    /// The same middleware, for a processor of its own.
    func copy() -> MiddlewareChain {
        MiddlewareChain(
            middleware, duplicate: duplicate, actorOptions: actorOptions, optionScreen, logger,
            watches: middleware.compactMap { ($0 as? any AttemptObserver)?.attemptWatch() })
    }

    private init(
        _ middleware: [any Middleware],
        duplicate: String?,
        actorOptions: Set<String>,
        _ optionScreen: OptionScreen,
        _ logger: Logger,
        watches: [any AttemptWatch] = []
    ) {
        self.middleware = middleware
        self.duplicate = duplicate
        self.actorOptions = actorOptions
        self.optionScreen = optionScreen
        self.logger = logger
        processing = middleware.compactMap { $0 as? any ProcessingMiddleware }.map { middleware in
            { try await middleware.process($0, next: $1) }
        }
        noting = middleware.compactMap { $0 as? any NotingMiddleware }.map { middleware in
            { middleware.takesNote($0) }
        }
        receiving = middleware.compactMap { $0 as? any BeforeReceiveMessage }
        gates = middleware.compactMap { $0 as? any MessageGate }.map { Step(gate: $0) }
        beforeEnqueue = middleware.compactMap { $0 as? any BeforeEnqueue }
        afterEnqueue = middleware.reversed().compactMap { $0 as? any AfterEnqueue }
        beforeDelay = middleware.compactMap { $0 as? any BeforeDelayMessage }
        beforeProcess = middleware.compactMap { $0 as? any BeforeProcessMessage }.map { Preparation($0) }
        afterProcess = middleware.reversed().compactMap { $0 as? any AfterProcessMessage }.map { middleware in
            Step(middleware, "afterProcessMessage") { try await middleware.afterProcessMessage(&$0) }
        }
        afterSkip = middleware.reversed().compactMap { $0 as? any AfterSkipMessage }.map { middleware in
            Step(middleware, "afterSkipMessage") { try await middleware.afterSkipMessage(&$0) }
        }
        beforeAck = middleware.compactMap { $0 as? any BeforeAck }.map { middleware in
            Step(middleware, "beforeAck") { try await middleware.beforeAck(&$0) }
        }
        beforeNack = middleware.compactMap { $0 as? any BeforeNack }.map { middleware in
            Step(middleware, "beforeNack") { try await middleware.beforeNack(&$0) }
        }
        isSelective = (afterProcess + beforeAck).allSatisfy { step in
            (step.middleware as? any SelectiveMiddleware).map { !$0.concernsPlainMessages } ?? false
        }
        afterAck = middleware.reversed().compactMap { $0 as? any AfterAck }.map { observer in
            { observer.afterAck($0) }
        }
        afterNack = middleware.reversed().compactMap { $0 as? any AfterNack }.map { observer in
            { observer.afterNack($0) }
        }
        afterRequeue = middleware.reversed().compactMap { $0 as? any AfterRequeue }.map { observer in
            { observer.afterRequeue($0) }
        }
        afterNackUnread = middleware.reversed().compactMap { $0 as? any AfterNackUnread }
        self.watches = watches
    }

    // MARK: Enqueuing

    var changesEnqueues: Bool { !beforeEnqueue.isEmpty }
    var observesEnqueues: Bool { !afterEnqueue.isEmpty }

    func willEnqueue(_ message: inout Message, delay: Duration?, broker: Broker) async throws {
        for middleware in beforeEnqueue {
            try await middleware.beforeEnqueue(&message, delay: delay, broker: broker)
        }
    }

    func didEnqueue(_ envelope: Envelope) {
        for observer in afterEnqueue { observer.afterEnqueue(envelope.message, delay: envelope.delay) }
    }

    // MARK: Receiving

    /// Has a message changed by those that may.
    ///
    /// - Throws: what one of them throws after the last attempt, or `TransitionRetry.ShuttingDown`.
    func received(_ message: Message, broker: Broker, _ retrying: TransitionRetry) async throws -> Message {
        var received = message
        for middleware in receiving {
            let before = received
            do {
                try await middleware.beforeReceiveMessage(&received, broker: broker)
            } catch {
                log(error, middleware, "beforeReceiveMessage", message)
                try await retrying.repeat(after: error) {
                    received = before
                    try await middleware.beforeReceiveMessage(&received, broker: broker)
                }
            }
        }
        return received
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

    /// Whether a message may have to be withheld.
    func mayWithhold(_ context: MessageContext) -> Bool {
        for gate in gates where gate.isConcerned(context) { return true }
        return false
    }

    func withhold(_ context: inout MessageContext, _ retrying: TransitionRetry) async {
        await run(gates, &context, retrying)
    }

    /// Runs the hooks before the actor as far as they have nothing to wait for.
    ///
    /// - Returns: from where ``willProcess(_:_:from:)`` has to go on; `nil` if there is no more to do.
    func prepare(_ context: inout MessageContext) -> Int? {
        if context.delivered.hasOptions, let refusal = optionScreen.refusal(context) {
            context.refuse(refusal)
            return nil
        }
        for index in beforeProcess.indices {
            guard let prepare = beforeProcess[index].prepare else { return index }
            let before = context.effects
            do {
                try prepare(&context)
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

    @inline(__always)
    func willProcess(_ context: inout MessageContext, _ retrying: TransitionRetry, from start: Int) async {
        for preparation in beforeProcess[start...] where !context.isRequeued {
            let before = context.effects
            do {
                try await preparation.hook(&context)
            } catch is SkipMessage {
                context.effects.isSkipped = true
                return
            } catch let error as OptionError {
                context.effects = before
                return context.refuse(error)
            } catch {
                context.effects = before
                await recover(error, preparation.middleware, "beforeProcessMessage", &context, retrying) { context in
                    do {
                        try await preparation.hook(&context)
                    } catch is SkipMessage {
                        context.effects.isSkipped = true
                    }
                }
            }
        }
    }

    /// Tells who watches that a processor begins with a message.
    @inline(__always)
    func willAttempt(_ context: MessageContext) {
        for watch in watches { watch.attemptWillBegin(context) }
    }

    /// Tells who watches how the actor of the message has ended, or that it was left out.
    @inline(__always)
    func didAttempt(_ context: MessageContext) {
        for watch in watches { watch.attemptDidEnd(context) }
    }

    /// Where a message's actor can leave a note, if a middleware asks for it.
    func openNotes(_ context: MessageContext) -> TaskNotes.Place? {
        for takesNote in noting where takesNote(context) { return notes.open() }
        return nil
    }

    /// What the actor has left.
    func closeNotes() -> TaskNotes.Note? { notes.close() }

    /// Runs an actor with what is around it.
    @inline(__always)
    func perform(_ context: MessageContext) async throws -> ActorResult {
        if processing.isEmpty { return try await context.actor.perform(context.performed(context.message)) }
        return try await perform(context.message, context, processing[...])
    }

    /// - Parameter message: what is left of the middleware passes on.
    private func perform(
        _ message: Message,
        _ context: MessageContext,
        _ middleware: ArraySlice<Surrounding>
    ) async throws -> ActorResult {
        guard let first = middleware.first else { return try await context.actor.perform(context.performed(message)) }
        return try await first(context) { try await perform($0, context, middleware.dropFirst()) }
    }

    /// Whether there is more to do after a message's actor than to commit its end.
    func isConcerned(_ context: MessageContext) -> Bool {
        if context.isSkipped || context.isFailed || context.error != nil { return true }
        if isSelective, !context.delivered.hasAnyOptions, context.result.note == nil { return false }
        for step in afterProcess where step.isConcerned(context) { return true }
        return isConcernedWithEnd(context)
    }

    /// Whether ``willSettle(_:_:)`` has something to do.
    func isConcernedWithEnd(_ context: MessageContext) -> Bool {
        if context.isFailed { return true }
        for step in beforeAck where step.isConcerned(context) { return true }
        return false
    }

    @inline(__always)
    func didProcess(_ context: inout MessageContext, _ retrying: TransitionRetry) async {
        await run(afterProcess, &context, retrying)
    }

    func didSkip(_ context: inout MessageContext, _ retrying: TransitionRetry) async {
        await run(afterSkip, &context, retrying)
    }

    /// The last additions to a commit. A middleware that fails here for good turns an acknowledgement into a rejection, so
    /// the hooks of that one run too.
    func willSettle(_ context: inout MessageContext, _ retrying: TransitionRetry) async {
        if !context.isFailed { await run(beforeAck, &context, retrying) }
        if context.isFailed { await willReject(&context, retrying) }
    }

    /// The last additions to a rejection.
    func willReject(_ context: inout MessageContext, _ retrying: TransitionRetry) async {
        await run(beforeNack, &context, retrying)
    }

    @inline(__always)
    private func run(_ steps: [Step], _ context: inout MessageContext, _ retrying: TransitionRetry) async {
        for step in steps where !context.isRequeued && !context.isWithheld && step.isConcerned(context) {
            let before = context.effects
            do {
                try await step.hook(&context)
            } catch {
                // What a failed hook has added so far must not be sent.
                context.effects = before
                await recover(error, step.middleware, step.name, &context, retrying, step.hook)
            }
        }
    }

    private func recover(
        _ error: any Error,
        _ middleware: any Middleware,
        _ name: String,
        _ context: inout MessageContext,
        _ retrying: TransitionRetry,
        _ hook: Hook
    ) async {
        if let error = error as? OptionError {
            // The fault is the message's, so the middleware's policy has no say.
            return context.fail(context.error.map { "\($0). \(error)" } ?? "\(error)", kind: .option)
        }
        log(error, middleware, name, context.message)
        guard middleware.failurePolicy == .retryThenReject else { return }
        let before = context.effects
        do {
            try await retrying.repeat(after: error) {
                context.effects = before
                try await hook(&context)
            }
        } catch {
            context.effects = before
            if error is TransitionRetry.ShuttingDown {
                context.requeue()
            } else {
                context.fail("\(middleware.name).\(name): \(error)", kind: .following(error))
            }
        }
    }

    // MARK: Observing

    /// Whether somebody wants to hear of the ends of messages, or of what they send.
    var observesEnds: Bool { observesCommonEnds || !afterNack.isEmpty }

    /// Whether somebody wants to hear of such as processors don't wait for, which failures are not.
    var observesCommonEnds: Bool { !afterEnqueue.isEmpty || !afterAck.isEmpty || !afterRequeue.isEmpty }

    /// Tells the observers of a commit that ends a message.
    func didEnd(_ context: MessageContext, _ commit: Commit, _ result: CommitResult) {
        if !afterEnqueue.isEmpty {
            for envelope in commit.sends { didEnqueue(envelope) }
            if result.status == .committed { for envelope in commit.successors { didEnqueue(envelope) } }
        }
        switch commit.end?.outcome {
        case .acknowledge?: for observe in afterAck { observe(context) }
        case .reject?: for observe in afterNack { observe(context) }
        case .requeue?: for observe in afterRequeue { observe(context) }
        case nil: break
        }
    }

    /// Tells the observers of a dead letter that nobody has read.
    func didRejectUnread(_ delivery: Delivery, _ reason: String, _ kind: FailureKind) {
        for observer in afterNackUnread { observer.afterNackUnread(delivery, reason: reason, kind: kind) }
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
