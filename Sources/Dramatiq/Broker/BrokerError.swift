/// What went wrong between a program and its broker.
///
/// The ``code`` says what, and the fields beside it with what:
///
///     do {
///         try await broker.operations.removeDeadLetter(id, queue: "images")
///     } catch let error as BrokerError where error.code == .deadLetterNotFound {
///         // Somebody else has seen to it.
///     }
public struct BrokerError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The sort of error. New ones may be added, so a `switch` needs a `default`.
    public struct Code: Sendable, Hashable, CustomStringConvertible {
        public let description: String

        private init(_ description: String) {
            self.description = description
        }

        /// An actor of that name is declared already.
        public static let actorAlreadyDeclared = Code("actorAlreadyDeclared")
        /// No actor of that name is declared.
        public static let actorNotFound = Code("actorNotFound")
        /// An option of an actor, or a setting of a middleware, names an actor that is not to be found.
        public static let invalidTarget = Code("invalidTarget")
        /// Actor options that no middleware of the broker knows.
        public static let unknownActorOptions = Code("unknownActorOptions")
        /// Not a name for a queue; ``QueueName/objection(to:)`` says why.
        public static let invalidQueueName = Code("invalidQueueName")
        /// The broker's list has a middleware more than once.
        public static let middlewareTwice = Code("middlewareTwice")
        /// A middleware was to be placed beside one that the list doesn't have.
        public static let middlewareNotFound = Code("middlewareNotFound")
        /// Waiting for a queue to become empty took too long.
        public static let joinTimeout = Code("joinTimeout")
        /// A dead letter that isn't there, or no longer.
        public static let deadLetterNotFound = Code("deadLetterNotFound")
        /// The delivery was settled before, or its consumer was closed and the message returned to its queue.
        public static let deliveryNotHeld = Code("deliveryNotHeld")
        /// The transport said nothing about a commit, so nobody knows whether it holds.
        public static let commitUnanswered = Code("commitUnanswered")
        /// A worker was to run that runs already, or has run.
        public static let workerRunTwice = Code("workerRunTwice")
    }

    public let code: Code
    /// What is wrong and what helps, for a person to read.
    public let description: String
    /// The actor that is declared already, not found, or has unknown options.
    public private(set) var actorName: String?
    /// The queue that it is about, or what was to be one's name.
    public private(set) var queueName: String?
    /// The message of a delivery that is not held; `nil` if it was not decoded.
    public private(set) var messageID: String?
    /// The dead letter that was not found.
    public private(set) var deadLetterID: String?
    /// The options that are unknown, or the one that names a target.
    public private(set) var optionNames: [String] = []
    /// The middleware that is there twice, or not at all.
    public private(set) var middlewareName: String?
    /// How many messages of the queues were left when the time for joining them was over.
    public private(set) var unfinishedCount: Int?
}

/// What transports throw.
extension BrokerError {
    /// ``Code/joinTimeout``.
    ///
    /// - Parameters:
    ///   - queues: those that were joined; ``queueName`` is set if it was one.
    ///   - unfinished: how many messages are left in all of them.
    public static func joinTimeout(queues: [String], unfinished: Int) -> BrokerError {
        let shown = queues.prefix(5).map { "'\($0)'" }.joined(separator: ", ")
        let rest = queues.count > 5 ? " and \(queues.count - 5) more" : ""
        return BrokerError(
            code: .joinTimeout,
            description: queues.count == 1
                ? "Queue \(shown) still has \(unfinished) unfinished messages"
                : "Queues \(shown)\(rest) still have \(unfinished) unfinished messages",
            queueName: queues.count == 1 ? queues.first : nil, unfinishedCount: unfinished)
    }

    /// ``Code/deadLetterNotFound``.
    public static func deadLetterNotFound(queue: String, id: String) -> BrokerError {
        BrokerError(
            code: .deadLetterNotFound, description: "Queue '\(queue)' has no dead letter \(id)", queueName: queue,
            deadLetterID: id)
    }

    /// ``Code/deliveryNotHeld``.
    public static func deliveryNotHeld(queue: String, messageID: String?) -> BrokerError {
        BrokerError(
            code: .deliveryNotHeld,
            description:
                "The delivery of message \(messageID ?? "(undecoded)") from queue '\(queue)' is no longer held",
            queueName: queue, messageID: messageID)
    }

    /// ``Code/commitUnanswered``.
    public static let commitUnanswered = BrokerError(
        code: .commitUnanswered,
        description: "The transport gave no result for a commit, so it is not known whether it holds")
}

/// What brokers and workers throw.
extension BrokerError {
    package static func actorAlreadyDeclared(name: String) -> BrokerError {
        BrokerError(
            code: .actorAlreadyDeclared, description: "An actor named '\(name)' is already declared on this broker",
            actorName: name)
    }

    package static func actorNotFound(name: String) -> BrokerError {
        BrokerError(
            code: .actorNotFound,
            description:
                "No actor named '\(name)' is declared on this broker, and to address another program's, give its "
                + "queue, too",
            actorName: name)
    }

    package static func invalidTarget(of source: String, option: String, reason: String) -> BrokerError {
        BrokerError(
            code: .invalidTarget, description: "\(source) can't use its \(option): \(reason)", optionNames: [option])
    }

    package static func unknownActorOptions(actor: String, options: [String]) -> BrokerError {
        BrokerError(
            code: .unknownActorOptions,
            description: "Actor '\(actor)' has options that no middleware of this broker knows: "
                + "\(options.joined(separator: ", ")). Did you forget to add a middleware?",
            actorName: actor, optionNames: options)
    }

    package static func invalidQueueName(_ name: String) -> BrokerError {
        BrokerError(
            code: .invalidQueueName,
            description: "'\(name)' can't name a queue: \(QueueName.objection(to: name) ?? "it is reserved")",
            queueName: name)
    }

    package static func middlewareTwice(name: String) -> BrokerError {
        BrokerError(
            code: .middlewareTwice,
            description: "The broker's list has the middleware \(name) twice, so everything that it does would be done "
                + "twice. Take one of them out, or put it in the place of the other: "
                + "Broker.defaultMiddleware.replacing(…, with: …). A middleware of your own that shall stand there more "
                + "than once needs another `name` each time",
            middlewareName: name)
    }

    package static func middlewareNotFound(name: String) -> BrokerError {
        BrokerError(
            code: .middlewareNotFound, description: "There is no \(name) in the list of middleware",
            middlewareName: name)
    }

    package static let workerRunTwice = BrokerError(
        code: .workerRunTwice,
        description: "This worker has been run before. A worker runs once: make another one with Worker(broker)")
}
