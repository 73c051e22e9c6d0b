/// One setting of an actor, by dramatiq's name.
///
/// A broker accepts the options that its middleware declare; any other is an error when the actor is declared. Most
/// can be given per message as well (``TaskActor/messageWithOptions(_:options:)``), which takes precedence.
public struct ActorOption: Sendable {
    enum Value: Sendable {
        case json(JSONValue)
        case retryPredicate(@Sendable (_ retries: Int, _ error: any Error) -> Bool)
        case errorPredicate(@Sendable (any Error) -> Bool)
    }

    /// The option's name, as in `max_retries`.
    public let name: String
    let value: Value

    init(name: String, value: Value) {
        self.name = name
        self.value = value
    }

    /// An option of a middleware that this library doesn't know.
    public static func custom(_ name: String, _ value: JSONValue) -> ActorOption {
        ActorOption(name: name, value: .json(value))
    }

    private static func duration(_ name: String, _ duration: Duration) -> ActorOption {
        ActorOption(name: name, value: .json(duration.jsonMilliseconds))
    }

    // MARK: Retries

    /// How often a message is tried again, beyond the first time (`max_retries`).
    public static func maxRetries(_ count: Int) -> ActorOption { custom("max_retries", .integer(count)) }

    /// The wait before the first retry (`min_backoff`); it doubles with each further one.
    public static func minBackoff(_ duration: Duration) -> ActorOption { Self.duration("min_backoff", duration) }

    /// The longest wait before a retry (`max_backoff`).
    public static func maxBackoff(_ duration: Duration) -> ActorOption { Self.duration("max_backoff", duration) }

    /// Decides whether to retry, given how many retries there were and the error; overrules `max_retries`
    /// (`retry_when`).
    public static func retryWhen(
        _ predicate: @escaping @Sendable (_ retries: Int, _ error: any Error) -> Bool
    ) -> ActorOption {
        ActorOption(name: "retry_when", value: .retryPredicate(predicate))
    }

    /// Errors of this type are expected: the message fails at once, without a retry (`throws`).
    public static func `throws`<Failure: Error>(_ type: Failure.Type) -> ActorOption {
        ActorOption(name: "throws", value: .errorPredicate { $0 is Failure })
    }

    /// The actor that gets a message when the last retry failed (`on_retry_exhausted`).
    ///
    /// - Parameters:
    ///   - actorName: the actor's name.
    ///   - queue: the actor's queue, for one that the worker's broker doesn't declare: another program's.
    public static func onRetryExhausted(_ actorName: String, queue: String? = nil) -> ActorOption {
        custom("on_retry_exhausted", ActorAddress(actorName, queue: queue).jsonValue)
    }

    // MARK: Other middleware

    /// How long a message may wait before it is dropped instead of run (`max_age`).
    public static func maxAge(_ duration: Duration) -> ActorOption { Self.duration("max_age", duration) }

    /// How long the actor may run before it is cancelled (`time_limit`).
    public static func timeLimit(_ duration: Duration) -> ActorOption { Self.duration("time_limit", duration) }

    /// Whether the actor is cancelled as soon as its worker shuts down (`notify_shutdown`).
    public static func notifyShutdown(_ notify: Bool) -> ActorOption { custom("notify_shutdown", .bool(notify)) }

    /// The actor that gets the message and its result after a success (`on_success`).
    ///
    /// - Parameters:
    ///   - actorName: the actor's name.
    ///   - queue: the actor's queue, for one that the worker's broker doesn't declare: another program's.
    public static func onSuccess(_ actorName: String, queue: String? = nil) -> ActorOption {
        custom("on_success", ActorAddress(actorName, queue: queue).jsonValue)
    }

    /// The actor that gets the message and the error after a failure (`on_failure`).
    ///
    /// - Parameters:
    ///   - actorName: the actor's name.
    ///   - queue: the actor's queue, for one that the worker's broker doesn't declare: another program's.
    public static func onFailure(_ actorName: String, queue: String? = nil) -> ActorOption {
        custom("on_failure", ActorAddress(actorName, queue: queue).jsonValue)
    }
}

/// An actor's options by name.
public struct ActorOptions: Sendable {
    private var options: [String: ActorOption] = [:]

    /// Takes options; of two with the same name the last one counts, except that several `throws` add up.
    public init(_ options: [ActorOption] = []) {
        for option in options { add(option) }
    }

    /// Whether there is none.
    var isEmpty: Bool { options.isEmpty }

    /// The options' names.
    public var names: Set<String> { Set(options.keys) }

    /// An option's value, unless it is a closure.
    public subscript(name: String) -> JSONValue? {
        guard let value = json(name), !value.isNull else { return nil }
        return value
    }

    /// An option's value, also if it is `null`, unless it is a closure.
    func json(_ name: String) -> JSONValue? {
        guard !options.isEmpty, case .json(let value)? = options[name]?.value else { return nil }
        return value
    }

    var retryPredicate: (@Sendable (Int, any Error) -> Bool)? {
        if case .retryPredicate(let predicate)? = options["retry_when"]?.value { return predicate }
        return nil
    }

    func isExpected(_ error: any Error) -> Bool {
        if case .errorPredicate(let predicate)? = options["throws"]?.value { return predicate(error) }
        return false
    }

    private mutating func add(_ option: ActorOption) {
        if case .errorPredicate(let new) = option.value,
            case .errorPredicate(let earlier)? = options[option.name]?.value
        {
            options[option.name] = ActorOption(name: option.name, value: .errorPredicate { earlier($0) || new($0) })
        } else {
            options[option.name] = option
        }
    }
}
