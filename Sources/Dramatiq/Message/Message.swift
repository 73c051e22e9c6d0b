/// One task to run: which actor, with what, and how.
///
/// A value with the seven fields of a dramatiq message. Its ``messageID`` identifies it for good: retries and
/// redeliveries keep it, and barriers count arrivals by it.
public struct Message: Sendable, Hashable {
    /// The longest name of a queue or an actor, the longest id, and the longest name of an option or a keyword argument,
    /// in UTF-8 bytes: 1 KiB. Python has no limit; what is longer is not read and not sent.
    public static let maxNameSize = 1024
    /// The most options that a message may have: 4096.
    public static let maxOptionCount = 4096

    /// The queue that the message belongs to.
    public var queueName: String
    /// The actor that shall run it.
    public var actorName: String
    /// Positional arguments.
    public var args: JSONArray
    /// Keyword arguments.
    public var kwargs: JSONObject
    /// What the broker and the middleware shall know.
    public var options: MessageOptions
    /// A UUID in lower case, unless another producer chose something else.
    public var messageID: String
    /// When the message was first enqueued.
    public var messageTimestamp: MessageTimestamp
    /// Why the arguments could not be encoded; enqueuing the message throws it.
    package var argumentFailure: ArgumentFailure?

    /// A message with a fresh id and the time of now, unless they are given.
    public init(
        queueName: String,
        actorName: String,
        args: JSONArray = [],
        kwargs: JSONObject = [:],
        options: MessageOptions = [:],
        messageID: String? = nil,
        messageTimestamp: MessageTimestamp = .now
    ) {
        self.queueName = queueName
        self.actorName = actorName
        self.args = args
        self.kwargs = kwargs
        self.options = options
        self.messageID = messageID ?? UniqueID.make()
        self.messageTimestamp = messageTimestamp
    }

    /// A copy with other options laid over this message's own.
    public func copy(options: MessageOptions) -> Message {
        var copy = self
        copy.options.merge(options)
        return copy
    }

    /// A copy with an id of its own, for the same task once more. It is another message: it has not been retried yet,
    /// and it counts for nothing that waits for this one, such as the next step of a workflow. The messages that are
    /// piped behind it are copied in the same way.
    public func withFreshID() -> Message {
        guard isPiped else { return renamed(UniqueID.make()) }
        var pipeline = Pipeline(self)
        for index in pipeline.messages.indices {
            pipeline.messages[index] = pipeline.messages[index].renamed(UniqueID.make())
        }
        return pipeline.joined
    }

    /// This message under another id, without what ties it to others and without its history. What is piped behind it
    /// stays as it is.
    package func renamed(_ id: String) -> Message {
        var copy = self
        copy.messageID = id
        copy.options.remove(WireOption.bonds)
        return copy
    }

    /// This message without what ties it to others if those ties are another message's, so that what waits for the
    /// other one doesn't count this one as well.
    func untied(from other: Message) -> Message {
        guard !messageID.hasSameBytes(as: other.messageID), !options.isEmpty else { return self }
        let isTied = WireOption.ties.contains { name in
            guard let tie = options.value(name) else { return false }
            return tie == other.options.value(name)
        }
        guard isTied else { return self }
        var copy = self
        copy.options.remove(WireOption.ties)
        return copy
    }

    /// This message with another one to be sent after it, with this one's result as its last argument.
    ///
    /// What is piped into a pipeline comes after its last message: `a.piped(into: b).piped(into: c)` is the same as
    /// `a.piped(into: b.piped(into: c))`. In a workflow a pipeline is one task, which is done when its last message is.
    /// Needs the ``Pipelines`` middleware. For steps that don't pass results on, a workflow's `Chain` is the better tool.
    ///
    /// - Parameters:
    ///   - next: the message to be sent after it.
    ///   - ignoringResult: leaves the result out of the next message's arguments. Defaults to `false`.
    public func piped(into next: Message, ignoringResult: Bool = false) -> Message {
        var next = next
        if ignoringResult { next.options["pipe_ignore"] = true }
        var pipeline = Pipeline(self)
        pipeline.messages.append(next)
        var joined = pipeline.joined
        if let fault = pipeline.fault, joined.argumentFailure == nil {
            joined.argumentFailure = ArgumentFailure(actorName: actorName, reason: "nothing can follow it: \(fault)")
        }
        return joined
    }
}

extension Message {
    /// The message as a JSON object, the fields in dramatiq's order.
    public var jsonValue: JSONValue {
        .object(
            JSONObject(members: [
                JSONObject.Member("queue_name", .string(queueName)),
                JSONObject.Member("actor_name", .string(actorName)),
                JSONObject.Member("args", .array(args)),
                JSONObject.Member("kwargs", .object(kwargs)),
                JSONObject.Member("options", .object(options.object)),
                JSONObject.Member("message_id", .string(messageID)),
                JSONObject.Member("message_timestamp", messageTimestamp.jsonValue),
            ])
        )
    }

    /// Reads a message from a JSON object, such as `pipe_target`.
    ///
    /// - Throws: ``DecodeError`` with offsets that count within the object's text.
    public init(_ object: JSONObject) throws(DecodeError) {
        self = try JSONMessageEncoder().decode(content: object.content, extraField: nil)
    }

    /// Reads a message from a JSON object that may have one more field, whose value is left out.
    package init(_ object: JSONObject, besides extraField: StaticString) throws(DecodeError) {
        self = try JSONMessageEncoder().decode(content: object.content, extraField: extraField)
    }
}

extension Message {
    public static func == (left: Message, right: Message) -> Bool {
        left.messageID.hasSameBytes(as: right.messageID) && left.actorName.hasSameBytes(as: right.actorName)
            && left.queueName.hasSameBytes(as: right.queueName) && left.messageTimestamp == right.messageTimestamp
            && left.options == right.options && left.args == right.args && left.kwargs == right.kwargs
            && left.argumentFailure == right.argumentFailure
    }

    public func hash(into hasher: inout Hasher) {
        messageID.hashBytes(into: &hasher)
        actorName.hashBytes(into: &hasher)
        hasher.combine(args)
    }
}

extension Message: CustomStringConvertible {
    /// The call that the message stands for: `resize("a.png", 200, mode="fit")`.
    public var description: String {
        let positional = args.elements.map(\.description)
        let keywords = kwargs.members.map { "\($0.key)=\($0.value)" }
        return "\(actorName)(\((positional + keywords).joined(separator: ", ")))"
    }
}

/// Why a message's arguments could not be written as JSON.
public struct ArgumentFailure: Error, Sendable, Hashable, CustomStringConvertible {
    /// The actor that the message is for.
    public let actorName: String
    /// What the argument's `encode(to:)` threw.
    public let reason: String

    public var description: String {
        "An argument for actor '\(actorName)' can't be encoded: \(reason)"
    }
}
