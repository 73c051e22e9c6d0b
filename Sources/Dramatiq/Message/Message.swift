/// One task to run: which actor, with what, and how.
///
/// A value with the seven fields of a dramatiq message. Its ``messageID`` identifies it for good: retries and
/// redeliveries keep it, and barriers count arrivals by it.
public struct Message: Sendable, Hashable {
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

    /// A copy with an id of its own.
    public func withFreshID() -> Message {
        var copy = self
        copy.messageID = UniqueID.make()
        return copy
    }

    /// This message with another one to be sent after it, with this one's result as its last argument.
    ///
    /// Chaining on goes from the end: `a.piped(into: b.piped(into: c))`. Needs the ``Pipelines`` middleware. For steps
    /// that don't pass results on, a workflow's `Chain` is the better tool.
    ///
    /// - Parameter ignoringResult: leaves the result out of the next message's arguments.
    public func piped(into next: Message, ignoringResult: Bool = false) -> Message {
        var next = next
        if ignoringResult { next.options["pipe_ignore"] = true }
        var copy = self
        copy.options["pipe_target"] = next.jsonValue
        return copy
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
        self = try JSONMessageEncoder().decode(JSONValue.object(object).encoded())
    }

    /// Reads a message from the node of a workflow, which has a `__type__` besides.
    package init(workflowNode object: JSONObject) throws(DecodeError) {
        switch object.storage {
        case .text(let text):
            self = try JSONMessageEncoder().decode(content: text, extraField: "__type__")
        case .list:
            let content = JSONValue.object(object).encoded().dropFirst().dropLast()
            self = try JSONMessageEncoder().decode(content: content, extraField: "__type__")
        }
    }

    /// Whether a node of a workflow is a message as Python and this library write it, which its first bytes tell. A
    /// node that isn't may still be one in another spelling.
    package static func isPlainWorkflowNode(_ object: JSONObject) -> Bool {
        guard case .text(let text) = object.storage else { return false }
        let start: StaticString = "\"__type__\":\"message\","
        return text.starts(with: UnsafeBufferPointer(start: start.utf8Start, count: start.utf8CodeUnitCount))
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
