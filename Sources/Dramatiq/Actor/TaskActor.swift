/// A task that messages can ask for, typed by its closure.
///
///     let resize = TaskActor("resize", queue: "images", parameters: ["path", "width"]) { (path: String, width: Int) in
///         …
///     }
///     try await resize.send("summer.png", 200, to: broker)
///
/// An actor is a plain value: declare it on the workers' broker and use it to make messages anywhere. Its arguments
/// are checked by the compiler where messages are made, and again when they arrive.
public struct TaskActor<each Argument: Codable & Sendable, Output: Sendable>: AnyTaskActor {
    public let name: String
    public let queueName: String
    public let priority: Int
    public let options: ActorOptions
    /// The arguments' names, for producers that pass them by keyword, as Python can.
    public let parameters: [String]
    private let body: @concurrent @Sendable (repeat each Argument) async throws -> Output

    /// An actor that runs a closure.
    ///
    /// - Parameters:
    ///   - name: what messages call it; unique within a broker.
    ///   - queue: its queue. Letters, digits, `.`, `_` and `-`, not starting with a digit, a dot or a dash; checked
    ///     when the actor is declared. Defaults to `default`.
    ///   - priority: of the messages that a worker holds, those with a lower number run first. Defaults to 0.
    ///   - options: settings for the middleware. Defaults to none.
    ///   - parameters: the arguments' names in order, so that they can arrive by keyword. Those without a name are
    ///     positional only. Defaults to none.
    ///   - body: the task. What it throws is handled by the middleware, usually by ``Retries``. It should react to
    ///     cancellation, which is how ``TimeLimit`` and a shutdown end it.
    public init(
        _ name: String,
        queue: String = "default",
        priority: Int = 0,
        options: [ActorOption] = [],
        parameters: [String] = [],
        _ body: @escaping @concurrent @Sendable (repeat each Argument) async throws -> Output
    ) {
        self.name = name
        self.queueName = queue
        self.priority = priority
        self.options = ActorOptions(options)
        self.parameters = parameters
        self.body = body
    }

    /// A message that asks for this task.
    ///
    /// An argument that can't be encoded makes a message that throws ``ArgumentFailure`` when it is enqueued.
    public func message(_ arguments: repeat each Argument) -> Message {
        messageWithOptions(repeat each arguments, options: [:])
    }

    /// A message with options for the broker and the middleware, which take precedence over the actor's.
    public func messageWithOptions(_ arguments: repeat each Argument, options: MessageOptions) -> Message {
        var writer = JSONWriter(capacity: 64)
        var failure: ArgumentFailure?
        var depth = 0
        do {
            var isFirst = true
            for argument in repeat each arguments {
                if !isFirst { writer.append(UInt8(ascii: ",")) }
                isFirst = false
                depth = max(depth, try ArgumentCoding.encode(argument, into: &writer))
            }
        } catch {
            failure = ArgumentFailure(actorName: name, reason: "\(error)")
        }
        var message = Message(
            queueName: queueName,
            actorName: name,
            args: JSONArray(validatedText: writer.bytes[...], depth: depth + 1),
            options: options
        )
        message.argumentFailure = failure
        return message
    }

    /// Enqueues a message.
    ///
    /// - Parameters:
    ///   - arguments: the arguments of the actor.
    ///   - broker: sends it; its workers run it.
    ///   - delay: how long the message waits at least before it may run. Defaults to not at all.
    /// - Returns: the message as it was enqueued.
    /// - Throws: what the encoder or the transport throws; nothing was enqueued then.
    @discardableResult
    public func send(_ arguments: repeat each Argument, to broker: Broker, delay: Duration? = nil) async throws
        -> Message
    {
        try await broker.enqueue(message(repeat each arguments), delay: delay)
    }

    /// Runs the task in place, without a broker.
    ///
    /// - Throws: what the body throws.
    public func callAsFunction(_ arguments: repeat each Argument) async throws -> Output {
        try await body(repeat each arguments)
    }

    public func perform(_ message: Message) async throws -> ActorResult {
        var source = try ArgumentSource(message, parameters: parameters)
        let arguments = (repeat try source.next((each Argument).self))
        try source.finish()
        let output = try await body(repeat each arguments)
        return Output.self == Void.self ? .none : ActorResult(value: output)
    }
}

/// Hands out a message's arguments one by one, from the positional ones first and then by name.
private struct ArgumentSource {
    private let actorName: String
    private let messageID: String
    private let parameters: [String]
    private var positional: ArraySlice<UInt8>
    /// `nil` if there are none, as in most messages.
    private let keywords: MemberPlaces?
    private var taken: [String] = []
    private var index = 0

    init(_ message: Message, parameters: [String]) throws(ArgumentMismatch) {
        actorName = message.actorName
        messageID = message.messageID
        self.parameters = parameters
        positional = message.args.content
        keywords = message.kwargs.isEmpty ? nil : MemberPlaces(message.kwargs)
        if keywords == nil, !message.kwargs.isEmpty { throw mismatch("its keyword arguments have 4 GiB or more") }
    }

    mutating func next<Argument: Decodable>(_ type: Argument.Type) throws(ArgumentMismatch) -> Argument {
        defer { index += 1 }
        let text: ArraySlice<UInt8>
        if let element = JSONText.takeFirst(&positional) {
            text = element
        } else if let keyword = takeKeyword() {
            text = keyword
        } else if let optional = type as? any ExpressibleByNilLiteral.Type,
            let none = optional.init(nilLiteral: ()) as? Argument
        {
            return none
        } else {
            throw mismatch("\(argumentName) is missing")
        }
        do {
            return try ArgumentCoding.decode(type, from: text)
        } catch {
            throw mismatch("\(argumentName) is not a valid \(type): \(Self.readable(error))")
        }
    }

    mutating func finish() throws(ArgumentMismatch) {
        if JSONText.takeFirst(&positional) != nil {
            var count = index + 1
            while JSONText.takeFirst(&positional) != nil { count += 1 }
            throw mismatch("it takes \(index) arguments, and there are \(count)")
        }
        if let name = keywords?.firstName(except: taken) {
            throw mismatch("it takes no keyword argument '\(name.excerpt(maxBytes: 64))'")
        }
    }

    private mutating func takeKeyword() -> ArraySlice<UInt8>? {
        guard let keywords, index < parameters.count, let text = keywords.text(of: parameters[index]) else {
            return nil
        }
        taken.append(parameters[index])
        return text
    }

    private var argumentName: String {
        index < parameters.count ? "argument '\(parameters[index])'" : "argument \(index + 1)"
    }

    private func mismatch(_ reason: String) -> ArgumentMismatch {
        ArgumentMismatch(actorName: actorName, messageID: messageID, reason: reason)
    }

    private static func readable(_ error: any Error) -> String {
        guard let error = error as? DecodingError else { return "\(error)" }
        switch error {
        case .typeMismatch(_, let context), .valueNotFound(_, let context), .keyNotFound(_, let context),
            .dataCorrupted(let context):
            let path = context.codingPath.map(\.stringValue).joined(separator: ".")
            return path.isEmpty ? context.debugDescription : "\(context.debugDescription) (at \(path))"
        @unknown default: return "\(error)"
        }
    }
}
