/// What went wrong between a program and its broker.
public enum BrokerError: Error, Sendable, Hashable, CustomStringConvertible {
    /// An actor of that name is declared already.
    case actorAlreadyDeclared(name: String)
    /// No actor of that name is declared.
    case actorNotFound(name: String)
    /// An option of an actor, or a setting of a middleware, names an actor that is not to be found.
    case invalidTarget(of: String, option: String, reason: String)
    /// Actor options that no middleware of the broker knows.
    case unknownActorOptions(actor: String, options: [String])
    /// Not a name for a queue; ``QueueName/objection(to:)`` says why.
    case invalidQueueName(String)
    /// The broker's list has a middleware more than once.
    case middlewareTwice(name: String)
    /// A middleware was to be placed beside one that the list doesn't have.
    case middlewareNotFound(name: String)
    /// Waiting for a queue to become empty took too long.
    case joinTimeout(queue: String, unfinished: Int)
    /// A dead letter that isn't there, or no longer.
    case deadLetterNotFound(queue: String, id: String)
    /// The delivery was settled before, or its consumer was closed and the message returned to its queue.
    case deliveryNotHeld(queue: String, messageID: String?)
    /// The transport said nothing about a commit, so nobody knows whether it holds.
    case commitUnanswered
    /// A worker was to run that runs already, or has run.
    case workerRunTwice

    public var description: String {
        switch self {
        case .actorAlreadyDeclared(let name):
            "An actor named '\(name)' is already declared on this broker"
        case .actorNotFound(let name):
            "No actor named '\(name)' is declared on this broker, and to address another program's, give its queue, too"
        case .invalidTarget(let source, let option, let reason):
            "\(source) can't use its \(option): \(reason)"
        case .unknownActorOptions(let actor, let options):
            "Actor '\(actor)' has options that no middleware of this broker knows: \(options.joined(separator: ", ")). "
                + "Did you forget to add a middleware?"
        case .invalidQueueName(let name):
            "'\(name)' can't name a queue: \(QueueName.objection(to: name) ?? "it is reserved")"
        case .middlewareTwice(let name):
            "The broker's list has the middleware \(name) twice, so everything that it does would be done twice. Take one "
                + "of them out, or put it in the place of the other: Broker.defaultMiddleware.replacing(…, with: …). A "
                + "middleware of your own that shall stand there more than once needs another `name` each time"
        case .middlewareNotFound(let name):
            "There is no \(name) in the list of middleware"
        case .joinTimeout(let queue, let unfinished):
            "Queue '\(queue)' still has \(unfinished) unfinished messages"
        case .deadLetterNotFound(let queue, let id):
            "Queue '\(queue)' has no dead letter \(id)"
        case .deliveryNotHeld(let queue, let messageID):
            "The delivery of message \(messageID ?? "(undecoded)") from queue '\(queue)' is no longer held"
        case .commitUnanswered:
            "The transport gave no result for a commit, so it is not known whether it holds"
        case .workerRunTwice:
            "This worker has been run before. A worker runs once: make another one with Worker(broker)"
        }
    }
}

/// An error that says nothing about the message: the same step will work once an outage is over.
///
/// Transports and backends mark the loss of a connection, a server that is still loading and the like with it. A
/// worker then repeats the step until it works instead of giving the message up.
public protocol TransientError: Error {
    /// Whether it is such an error; for types that also stand for others.
    var isTransient: Bool { get }
    /// Whether there is nobody to talk to at present, as opposed to a server that is there and is full: what is sent is
    /// only repeated then. The same as ``isTransient`` unless implemented.
    var isOutage: Bool { get }
}

extension TransientError {
    /// It is.
    public var isTransient: Bool { true }
    public var isOutage: Bool { isTransient }
}
