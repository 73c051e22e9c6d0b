public import Logging
import Synchronization

/// Knows the actors and the middleware, and sends messages over a transport.
///
///     let broker = Broker(transport: InMemoryTransport())
///     try await broker.declare(resize, publish)
///     try await resize.send("summer.png", 200, to: broker)
///
/// There is no global broker: pass it to those who need it. Producers need no actors on theirs.
public final class Broker: Sendable {
    /// Carries the messages.
    public let transport: any Transport
    /// Turns messages into bytes and back.
    public let encoder: any MessageEncoder
    public let logger: Logger
    /// By which delays, ages and time limits are counted.
    package let clock: any TaskClock
    let chain: MiddlewareChain
    /// The way of all commits to the transport.
    package let pipeline: CommitPipeline
    /// Whether the transport answers without being waited for.
    let isImmediate: Bool
    /// Whether the transport counts the workers that are lost over a message.
    let countsCrashes: Bool
    private let registry = Mutex(Registry())

    /// - Parameters:
    ///   - transport: carries the messages.
    ///   - encoder: turns messages into bytes and back. Defaults to plain JSON, as in dramatiq.
    ///   - middleware: in the order in which they see messages on their way out, each of them once. A list in which one
    ///     stands twice is logged as critical, and whatever is first done with the broker throws
    ///     ``BrokerError/Code/middlewareTwice``. Defaults to ``defaultMiddleware``.
    ///   - logger: gets what has no caller to be thrown to. Defaults to one with the label `dramatiq`.
    public convenience init(
        transport: any Transport,
        encoder: any MessageEncoder = JSONMessageEncoder(),
        middleware: [any Middleware] = Broker.defaultMiddleware,
        logger: Logger = Logger(label: "dramatiq")
    ) {
        self.init(
            transport: transport, encoder: encoder, middleware: middleware, logger: logger, clock: SystemTaskClock())
    }

    /// A broker by whose clock delays, ages and time limits are counted.
    package init(
        transport: any Transport,
        encoder: any MessageEncoder,
        middleware: [any Middleware],
        logger: Logger,
        clock: any TaskClock
    ) {
        self.clock = clock
        let logger = logger.printable
        self.transport = transport
        pipeline = CommitPipeline(
            transport,
            observers: middleware.compactMap { $0 as? any CommitObserver }.filter {
                ($0 as? any SelectiveObserver)?.observesCommits ?? true
            }, settlementObservers: middleware.compactMap { $0 as? any SettlementObserver }, logger: logger)
        let traits = transport.traits
        isImmediate = traits.isImmediate
        countsCrashes = traits.countsCrashes
        self.encoder = encoder
        self.logger = logger
        chain = MiddlewareChain(middleware, logger: logger)
        do {
            try checkMiddleware()
        } catch {
            logger.critical("The broker can't be used", metadata: ["error": "\(error)"])
        }
    }

    /// - Throws: ``BrokerError/Code/middlewareTwice``. Whatever makes a queue known asks, and nothing is sent or taken
    ///   before that.
    func checkMiddleware() throws(BrokerError) {
        if let name = chain.duplicate { throw .middlewareTwice(name: name) }
    }

    /// What dramatiq has by default: age and time limits, shutdown notifications, callbacks, pipelines, retries.
    public static var defaultMiddleware: [any Middleware] {
        [AgeLimit(), TimeLimit(), ShutdownNotifications(), Callbacks(), Pipelines(), Retries()]
    }

    /// The middleware in their order.
    public var middleware: [any Middleware] { chain.middleware }

    /// The first middleware of a type.
    public func middleware<Type: Middleware>(of type: Type.Type) -> Type? {
        for case let middleware as Type in chain.middleware { return middleware }
        return nil
    }

    /// Looks after the queues and their dead letters.
    ///
    ///     let queues = try broker.operations
    ///     try await queues.requeueDeadLetters(queue: "images", encoder: broker.encoder)
    ///
    /// - Throws: ``OperationNotSupported`` if the transport has nothing for that.
    public var operations: any QueueOperations {
        get throws(OperationNotSupported) {
            guard let operations = transport.operations else { throw OperationNotSupported("operations") }
            return operations
        }
    }

    // MARK: Declaring

    /// Makes actors known, and their queues.
    ///
    /// - Throws: ``BrokerError`` for a name that is taken, an option that no middleware knows, an impossible queue name, a
    ///   middleware that the broker has twice and, if a worker runs already, an option that names an actor that is not
    ///   declared; nothing is declared then. What a middleware or the transport throws.
    public func declare(_ actors: any AnyTaskActor...) async throws {
        try await declare(actors)
    }

    /// Makes actors known, and their queues.
    ///
    /// - Throws: as ``declare(_:)-(AnyTaskActor...)``.
    public func declare(_ actors: [any AnyTaskActor]) async throws {
        try checkMiddleware()
        var targets: [ActorTarget] = []
        for actor in actors {
            try QueueName.check(actor.queueName)
            let unknown = actor.options.names.subtracting(chain.actorOptions)
            guard unknown.isEmpty else {
                throw BrokerError.unknownActorOptions(actor: actor.name, options: unknown.sorted())
            }
            targets += try chain.optionScreen.targets(of: actor)
            for case let middleware as any BeforeDeclareActor in chain.middleware {
                try middleware.beforeDeclareActor(actor, broker: self)
            }
        }
        try registry.withLock { try $0.add(actors, targets) }
        for actor in actors {
            try await declare(queue: actor.queueName)
            for case let middleware as any AfterDeclareActor in chain.middleware.reversed() {
                try middleware.afterDeclareActor(actor, broker: self)
            }
        }
    }

    /// Makes a queue known, so that workers take from it. Declaring an actor does so by itself; enqueuing doesn't, since
    /// the actors may be another program's.
    ///
    /// - Throws: ``BrokerError/Code/invalidQueueName``, or what the transport throws.
    public func declare(queue name: String) async throws {
        if registry.withLock({ $0.queues.contains(TextKey(name)) }) { return }
        try checkMiddleware()
        try QueueName.check(name)
        try await transport.declare(queue: name)
        guard registry.withLock({ $0.addQueue(name) }) else { return }
        for case let middleware as any AfterDeclareQueue in chain.middleware.reversed() {
            try middleware.afterDeclareQueue(name, broker: self)
        }
    }

    /// The queue that a message is for: one with a time when it is due may name the queue of delayed messages, as those do
    /// that are delayed already.
    private static func queue(of message: Message) -> String {
        let name = message.queueName
        return QueueName.isDelayed(name) && message.options.value("eta") != nil ? QueueName.canonical(name) : name
    }

    /// Makes sure that a queue exists to which a message goes.
    private func makeReachable(_ queue: String) async throws {
        if registry.withLock({ $0.reaches(queue) }) { return }
        try checkMiddleware()
        try QueueName.check(queue)
        try await transport.declare(queue: queue)
        registry.withLock { _ = $0.targets.insert(TextKey(queue)) }
    }

    /// Makes sure that every actor is known that gets messages by the settings of another one or of a middleware, those
    /// of actors that will be declared included.
    ///
    /// - Throws: ``BrokerError/Code/invalidTarget``.
    func requireTargets() throws {
        var targets: [ActorTarget] = []
        for middleware in chain.middleware {
            for (setting, address) in middleware.targets.sorted(by: { $0.key < $1.key }) {
                targets.append(ActorTarget(of: middleware.name, option: setting, address: address))
            }
        }
        let actors = registry.withLock(\.actors)
        for name in actors.keys.sorted() {
            if let actor = actors[name] { targets += try chain.optionScreen.targets(of: actor) }
        }
        try registry.withLock { try $0.requireTargets(targets) }
    }

    /// The queue to which an actor's messages go.
    ///
    /// - Throws: ``BrokerError/Code/actorNotFound`` for an actor that is not declared and whose queue isn't given,
    ///   ``BrokerError/Code/invalidQueueName``.
    func queue(of address: ActorAddress) throws(BrokerError) -> String {
        try registry.withLock { registry throws(BrokerError) in try registry.queue(of: address) }
    }

    /// The actor of a name.
    public func actor(named name: String) -> (any AnyTaskActor)? {
        registry.withLock { $0.actors[TextKey(name)] }
    }

    /// The names of the declared actors, sorted.
    public var actorNames: [String] { registry.withLock { $0.actors.keys.sorted().map(\.text) } }

    /// The names of the declared queues, sorted.
    public var queueNames: [String] { registry.withLock { $0.queues.sorted().map(\.text) } }

    /// The declared queues, and those that will be: ends with the task that iterates.
    func observeQueues() -> AsyncStream<String> {
        AsyncStream { continuation in
            let id = registry.withLock { $0.observe(continuation) }
            continuation.onTermination = { [weak self] _ in
                self?.registry.withLock { $0.observers[id] = nil }
            }
        }
    }

    // MARK: Enqueuing

    /// Sends a message.
    ///
    /// What an actor sends with the ties of its own message and under another id (see ``CurrentMessage``) goes out
    /// without them: it is another task, for which nothing waits.
    ///
    /// - Parameters:
    ///   - message: what is sent; its queue need not be declared here.
    ///   - delay: how long the message waits at least before it may run. Defaults to not at all.
    /// - Returns: the message as it was enqueued.
    /// - Throws: ``BrokerError/Code/invalidQueueName``, or what the encoder, a middleware or the transport throws;
    ///   nothing was enqueued then.
    @discardableResult
    public func enqueue(_ message: Message, delay: Duration? = nil) async throws -> Message {
        let message = CurrentMessage.untied(message)
        guard let envelope = envelopeNow(message, delay: delay) else {
            let envelope = try await envelope(message, delay: delay)
            try await commit(Commit(sends: Envelopes(envelope)))
            return envelope.message
        }
        let new = Commit(sends: Envelopes(envelope))
        if let result = pipeline.commitNow(new) {
            _ = try result.get()
            pipeline.wakeConsumers()
            if chain.observesEnqueues { chain.didEnqueue(envelope) }
        } else {
            try await commit(new)
        }
        return envelope.message
    }

    /// Sends many messages as one batch, all or none where the transport can.
    ///
    /// - Throws: as ``enqueue(_:delay:)-(Message,_)``.
    public func enqueue(_ messages: [Message], delay: Duration? = nil) async throws {
        try await commit(prepare(messages, delay: delay))
    }

    /// Everything that sending messages means, without doing it: for who wants to do it as a part of something else, such
    /// as a transaction that the transport takes part in, or later with ``commit(_:)``.
    ///
    /// - Throws: as ``enqueue(_:delay:)-(Message,_)``.
    public func prepare(_ messages: [Message], delay: Duration? = nil) async throws -> Commit {
        var envelopes: [Envelope] = []
        envelopes.reserveCapacity(messages.count)
        for message in messages {
            envelopes.append(try await envelope(CurrentMessage.untied(message), delay: delay))
        }
        return Commit(sends: Envelopes(envelopes))
    }

    /// Does what was prepared. Repeated while there is an outage, for as long as ``TransportTraits/sendPatience`` says.
    ///
    /// - Throws: what the transport or the barriers' store throws. After a ``TransientError`` it is not known whether the
    ///   commit holds: the same one can be given again.
    public func commit(_ commit: Commit) async throws {
        try await pipeline.send(commit)
        guard chain.observesEnqueues else { return }
        for envelope in commit.sends { chain.didEnqueue(envelope) }
    }

    /// A message ready to be sent: seen by the middleware, its queue declared, marked with the time when it is due.
    package func envelope(_ message: Message, delay: Duration?) async throws -> Envelope {
        var message = message
        try await chain.willEnqueue(&message, delay: delay, broker: self)
        try await makeReachable(Self.queue(of: message))
        return due(message, delay: delay)
    }

    /// ``envelope(_:delay:)`` for a message that nobody has to be asked about; `nil` for others.
    package func envelopeNow(_ message: Message, delay: Duration?) -> Envelope? {
        guard !chain.changesEnqueues, registry.withLock({ $0.reaches(message.queueName) }) else { return nil }
        return due(message, delay: delay)
    }

    /// A message marked with the time when it is due.
    private func due(_ message: Message, delay: Duration?) -> Envelope {
        guard let delay, delay > .zero else { return Envelope(message, encoder: encoder) }
        var message = message
        let eta = clock.milliseconds.addingReportingOverflow(max(1, delay.milliseconds))
        message.queueName = QueueName.delayed(message.queueName)
        message.options["eta"] = .integer(eta.overflow ? .max : eta.partialValue)
        return Envelope(message, delay: delay, encoder: encoder)
    }

    /// A message for an actor.
    ///
    /// - Throws: ``BrokerError/Code/actorNotFound`` for an actor that is not declared and whose queue isn't given,
    ///   ``BrokerError/Code/invalidQueueName``.
    public func message(for address: ActorAddress, _ arguments: [JSONValue]) throws -> Message {
        Message(queueName: try queue(of: address), actorName: address.actorName, args: JSONArray(arguments))
    }

    /// A message for a declared actor.
    ///
    /// - Throws: ``BrokerError/Code/actorNotFound``.
    public func message(for actorName: String, _ arguments: [JSONValue]) throws -> Message {
        try message(for: ActorAddress(actorName), arguments)
    }
}

/// What was declared on a broker, and who wants to know.
private struct Registry {
    var actors: [TextKey: any AnyTaskActor] = [:]
    /// The queues to take from.
    var queues: Set<TextKey> = []
    /// Others to which something was sent.
    var targets: Set<TextKey> = []
    var observers: [Int: AsyncStream<String>.Continuation] = [:]
    private var nextObserver = 0
    /// Whether those that get messages by the settings of actors have to be known.
    private var requiresTargets = false

    /// - Parameter targets: the actors that get messages by their settings.
    mutating func add(_ new: [any AnyTaskActor], _ targets: [ActorTarget]) throws(BrokerError) {
        var actors = self.actors
        for actor in new {
            guard actors.updateValue(actor, forKey: TextKey(actor.name)) == nil else {
                throw .actorAlreadyDeclared(name: actor.name)
            }
        }
        let earlier = self.actors
        self.actors = actors
        guard requiresTargets else { return }
        do {
            try check(targets)
        } catch {
            self.actors = earlier
            throw error
        }
    }

    mutating func requireTargets(_ targets: [ActorTarget]) throws(BrokerError) {
        try check(targets)
        requiresTargets = true
    }

    private func check(_ targets: [ActorTarget]) throws(BrokerError) {
        for target in targets {
            do {
                _ = try queue(of: target.address)
            } catch {
                throw .invalidTarget(of: target.of, option: target.option, reason: "\(error)")
            }
        }
    }

    func queue(of address: ActorAddress) throws(BrokerError) -> String {
        if let name = address.queueName {
            try QueueName.check(name)
            return name
        }
        guard let actor = actors[TextKey(address.actorName)] else { throw .actorNotFound(name: address.actorName) }
        return actor.queueName
    }

    func reaches(_ queue: String) -> Bool {
        queues.contains(TextKey(queue)) || targets.contains(TextKey(queue))
    }

    /// Returns whether the queue is new.
    mutating func addQueue(_ name: String) -> Bool {
        guard queues.insert(TextKey(name)).inserted else { return false }
        for observer in observers.values { observer.yield(name) }
        return true
    }

    mutating func observe(_ continuation: AsyncStream<String>.Continuation) -> Int {
        nextObserver += 1
        observers[nextObserver] = continuation
        for name in queues.sorted() { continuation.yield(name.text) }
        return nextObserver
    }
}
