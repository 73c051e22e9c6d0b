package import Logging

/// One message while a worker processes it: what is known about it, and what will follow from it.
public struct MessageContext: Sendable {
    public let broker: Broker
    /// What is known about the message beforehand. Reading from here copies less than ``message``.
    package let delivered: DeliveredMessage
    /// The message as it was delivered, with what ``amend(_:)`` has added.
    public var message: Message { effects.amendedMessage ?? delivered.message }
    /// The message's options. Reading them copies less than ``message``.
    package var options: MessageOptions { effects.amendedMessage?.options ?? delivered.message.options }
    /// The actor that the message is for.
    public var actor: any AnyTaskActor { delivered.actor }
    /// Whether the message was delivered before and came back, for example after its worker died.
    public var isRedelivered: Bool { delivered.delivery.isRedelivered }

    /// What the actor returned.
    public package(set) var result = ActorResult.none
    /// What the actor threw, or why it was cancelled.
    public package(set) var error: (any Error)?

    /// Adds to a context what follows once its commit has opened a barrier.
    package typealias Preparation = @Sendable (inout MessageContext) async throws -> Void

    /// What a hook can change, apart from the rest so that undoing a hook that threw copies only this.
    struct Effects: Sendable {
        /// What most messages don't have.
        fileprivate struct Rare: Sendable {
            var failureReason: String?
            var failureKind = FailureKind.declared
            var failureLevel = Logger.Level.error
            var amendedMessage: SharedBox<Message>?
            var precedingArguments: SharedBox<[JSONValue]>?
            var isRequeued = false
            var isWithheld = false
            var sends: Envelopes = []
            var successors: Envelopes = []
            var state: StateCommit?
            var result: ResultCommit?
            /// How many messages were to be sent before it was known how the attempt ended.
            var earlierSends = 0
            var whenBarrierOpens: Preparation?
        }

        var isSkipped = false
        var deadline: Moment?
        var isCancelledOnShutdown = false
        private var box: SharedBox<Rare>?

        fileprivate var rare: Rare {
            get { box?.value ?? Rare() }
            _modify {
                var own = box ?? SharedBox(Rare())
                box = nil
                defer { box = own }
                yield &own.value
            }
        }

        var failureReason: String? {
            get { box?.value.failureReason }
            // Whatever it is made of, it is logged, kept and shown.
            set {
                rare.failureReason = newValue.map { PrintableText.escape($0, limit: PrintableText.reasonLimit) }
            }
        }
        var failureKind: FailureKind? {
            get { box.flatMap { $0.value.failureReason == nil ? nil : $0.value.failureKind } }
            set { rare.failureKind = newValue ?? .declared }
        }
        /// How loud the log is about the failure.
        var failureLevel: Logger.Level {
            get { box?.value.failureLevel ?? .error }
            set { rare.failureLevel = newValue }
        }
        var amendedMessage: Message? {
            get { box?.value.amendedMessage?.value }
            set { rare.amendedMessage = newValue.map { SharedBox($0) } }
        }
        var isAmended: Bool { box?.value.amendedMessage != nil }
        var precedingArguments: [JSONValue]? {
            get { box?.value.precedingArguments?.value }
            set { rare.precedingArguments = newValue.map { SharedBox($0) } }
        }
        var isFailed: Bool { box?.value.failureReason != nil }
        var isRequeued: Bool { box?.value.isRequeued ?? false }
        var isWithheld: Bool { box?.value.isWithheld ?? false }

        var sends: Envelopes { box?.value.sends ?? [] }
        var state: StateCommit? { box?.value.state }
        var result: ResultCommit? { box?.value.result }

        func commit(ending delivery: Delivery) -> Commit {
            guard let rare = box?.value else { return Commit(.acknowledge, delivery) }
            let outcome: Commit.Outcome =
                rare.isRequeued ? .requeue : rare.failureReason.map { .reject(reason: $0) } ?? .acknowledge
            var commit = Commit(
                end: Commit.End(delivery, outcome), sends: rare.sends, successors: rare.successors, state: rare.state)
            commit.result = rare.result
            return commit
        }

        /// Takes out all that was to follow, so that only the end of the delivery is left.
        mutating func dropWhatFollows() {
            guard box != nil else { return }
            rare.sends = []
            rare.successors = []
            rare.state = nil
            rare.result = nil
        }

        /// From now on what is sent follows from how the attempt ended.
        mutating func noteOutcome() {
            guard let count = box?.value.sends.count, count > 0 else { return }
            rare.earlierSends = count
        }

        /// Takes out what doesn't follow from a failure for good: further attempts and next steps, and after a success
        /// all that was to be sent because of it.
        fileprivate mutating func dropWhatFollowed(fromSuccess isSuccess: Bool, of message: Message) {
            guard box != nil else { return }
            rare.state = nil
            rare.result = nil
            rare.successors = []
            rare.whenBarrierOpens = nil
            let kept = isSuccess ? rare.sends.prefix(rare.earlierSends) : rare.sends[...]
            rare.sends = Envelopes(kept.filter { !$0.message.messageID.hasSameBytes(as: message.messageID) })
        }

        /// Nothing follows from the attempt but what is given.
        fileprivate mutating func withhold(_ state: StateCommit?) {
            rare = Rare()
            rare.isWithheld = true
            rare.state = state
            isSkipped = true
        }

        /// Nothing follows from the attempt: the message goes back to its queue.
        fileprivate mutating func requeue() {
            rare = Rare()
            rare.isRequeued = true
        }
    }

    var effects = Effects()

    init(broker: Broker, _ delivered: DeliveredMessage) {
        self.broker = broker
        self.delivered = delivered
    }

    /// The context of a message that nobody delivered, for the test of a middleware: what its hooks add is in ``commit``.
    ///
    /// - Parameters:
    ///   - broker: the broker whose middleware sees it.
    ///   - message: the message that is processed.
    ///   - actor: who the message is for. Defaults to the one that the broker knows by its name.
    ///   - error: what the actor threw.
    public init(broker: Broker, message: Message, actor: (any AnyTaskActor)? = nil, error: (any Error)? = nil) {
        let delivery = Delivery(
            queueName: message.queueName, tag: 0, payload: .envelope(Envelope(message, encoder: broker.encoder)),
            isRedelivered: false)
        self.init(
            broker: broker,
            DeliveredMessage(
                delivery: delivery, message: message, actor: actor ?? broker.actor(named: message.actorName)))
        self.error = error
    }

    /// Why the message has failed for good, which makes it a dead letter; `nil` if it has not.
    public var failureReason: String? { effects.failureReason }

    /// What kind of failure ``failureReason`` tells of; `nil` if the message has not failed for good.
    public var failureKind: FailureKind? { effects.failureKind }

    /// Whether the message has failed for good.
    public var isFailed: Bool { effects.isFailed }

    /// Whether the message goes back to its queue.
    var isRequeued: Bool { effects.isRequeued }

    /// Whether the message is not to be processed, and its end is seen to.
    var isWithheld: Bool { effects.isWithheld }

    /// Whether the actor was left out.
    public var isSkipped: Bool { effects.isSkipped }

    /// Whether the actor ran and all is well.
    public var isSuccess: Bool { error == nil && !isFailed && !isSkipped }

    /// When the actor is cancelled if it still runs.
    public var deadline: ContinuousClock.Instant? {
        get { effects.deadline?.instant }
        set { effects.deadline = newValue.map { Moment($0) } }
    }

    /// Whether the actor is cancelled as soon as its worker begins to shut down.
    public var isCancelledOnShutdown: Bool {
        get { effects.isCancelledOnShutdown }
        set { effects.isCancelledOnShutdown = newValue }
    }

    /// What ends the message, as far as it is known: every time under another id.
    public var commit: Commit { effects.commit(ending: delivered.delivery) }

    /// What is sent whatever becomes of the barriers.
    package var sends: Envelopes { effects.sends }

    /// What happens to a workflow's barriers.
    package var state: StateCommit? {
        get { effects.state }
        set { effects.rare.state = newValue }
    }

    /// What is kept of the message in its commit: its result, or its error.
    var keptResult: ResultCommit? {
        get { effects.result }
        set { effects.rare.result = newValue }
    }

    /// Prepares what follows once the message's arrival turned out to complete a barrier.
    package var whenBarrierOpens: Preparation? {
        get { effects.rare.whenBarrierOpens }
        set { effects.rare.whenBarrierOpens = newValue }
    }

    /// Declares the message failed for good: it becomes a dead letter with this reason.
    ///
    /// An attempt has one fate. What was to be sent because it succeeded, another attempt at the message and a
    /// workflow's next steps are not sent any more, whichever hook prepared them.
    public mutating func fail(_ reason: String) {
        fail(reason, kind: .declared)
    }

    /// ``fail(_:)`` for a failure that may be nothing out of the ordinary.
    ///
    /// - Parameters:
    ///   - level: how loud the log is about it. Defaults to an error.
    ///   - kind: what it is counted as. Defaults to ``FailureKind/declared``.
    package mutating func fail(_ reason: String, level: Logger.Level = .error, kind: FailureKind) {
        guard !isFailed else { return }
        effects.dropWhatFollowed(fromSuccess: error == nil, of: message)
        effects.failureReason = reason
        effects.failureKind = kind
        effects.failureLevel = level
    }

    /// How loud the log is about the message's failure.
    package var failureLevel: Logger.Level { effects.failureLevel }

    /// Declares the message failed for its options, before its actor has run.
    mutating func refuse(_ error: OptionError) {
        fail("\(error)", kind: .option)
        effects.isSkipped = true
    }

    /// Whether the message is sent again, as another attempt: it keeps its id.
    public var isRetried: Bool { retry != nil }

    /// The next attempt at the message, if there is to be one.
    package var retry: Envelope? {
        sends.first { $0.message.messageID.hasSameBytes(as: message.messageID) }
    }

    /// Undoes the attempt: the message is acknowledged, and nothing follows but this. No hook sees to its end.
    package mutating func withhold(_ state: StateCommit?) {
        effects.withhold(state)
    }

    /// Undoes the attempt: the message goes back to its queue, and nothing else follows.
    mutating func requeue() {
        effects.requeue()
    }

    /// Adds options to the message for all that follows: the hooks that run later see them, and what they send carries
    /// them. The message in the queue stays as it is, also if it becomes a dead letter.
    public mutating func amend(_ options: MessageOptions) {
        effects.amendedMessage = message.copy(options: options)
    }

    /// Gives the actor arguments before the message's own, in this attempt only: neither the message in the queue nor what
    /// is sent because of it has them.
    package mutating func precedeArguments(with arguments: [JSONValue]) {
        effects.precedingArguments = arguments
    }

    /// A message as the actor gets it that the middleware around it pass on.
    func performed(_ message: Message) -> Message {
        guard let arguments = effects.precedingArguments else { return message }
        var performed = message
        performed.args = JSONArray(arguments + performed.args.elements)
        return performed
    }

    /// The message's value of an option, or else its actor's.
    public func option(_ name: String) -> JSONValue? {
        guard delivered.hasAnyOptions || effects.isAmended else { return nil }
        if let value = options.value(name) { return value }
        return actor.options[name]
    }

    /// Sends a message together with this one's acknowledgement or rejection. One that has this one's id is another
    /// attempt at it.
    ///
    /// It is not sent if the attempt comes to another end than it had so far: see ``fail(_:)``.
    ///
    /// - Throws: ``BrokerError/Code/invalidQueueName``, or what a middleware or the transport throws.
    public mutating func enqueue(_ message: Message, delay: Duration? = nil) async throws {
        let envelope = try await broker.envelope(message.untied(from: self.message), delay: delay)
        effects.rare.sends.append(envelope)
    }

    /// Sends a message once this one's barrier is released, and only then.
    package mutating func enqueueSuccessor(_ message: Message, delay: Duration?) async throws {
        let envelope = try await broker.envelope(message, delay: delay)
        effects.rare.successors.append(envelope)
    }

    /// ``enqueueSuccessor(_:delay:)`` for a message that nobody has to be asked about; does nothing with others.
    ///
    /// - Returns: whether it was done.
    package mutating func enqueueSuccessorNow(_ message: Message, delay: Duration?) -> Bool {
        guard let envelope = broker.envelopeNow(message, delay: delay) else { return false }
        effects.rare.successors.append(envelope)
        return true
    }
}
