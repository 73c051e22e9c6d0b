/// A message with those that are sent after it, each with the result of the one before (`pipe_target`).
///
/// On the wire each message holds the next one, so the whole pipeline is nested in the first.
package struct Pipeline {
    /// The option that holds the next message.
    package static let targetOption = "pipe_target"

    /// In the order in which they run. What they hold of the next one counts no more until they are ``joined``.
    package var messages: [Message]
    /// Why the last message's target is no message, if it has one. It fails when its turn comes to be sent.
    package private(set) var fault: DecodeError?

    /// Takes a message's pipeline apart; one message if it has none.
    package init(_ message: Message) {
        messages = [message]
        while let target = messages[messages.count - 1].options.value(Self.targetOption) {
            do throws(DecodeError) {
                messages.append(try Self.message(target))
            } catch {
                fault = error
                return
            }
        }
    }

    /// The first message, which holds the others.
    package var joined: Message {
        var joined = messages[messages.count - 1]
        for message in messages.dropLast().reversed() {
            // As text, since a value for each message would be nested as deep as the pipeline is long.
            var writer = JSONWriter(capacity: 512)
            writer.writeFields(joined)
            let failure = message.argumentFailure ?? joined.argumentFailure
            joined = message
            joined.options[Self.targetOption] = .object(JSONObject(validatedText: writer.bytes[...]))
            joined.argumentFailure = failure
        }
        return joined
    }

    /// The message that stands in a `pipe_target`.
    package static func message(_ target: JSONValue) throws(DecodeError) -> Message {
        guard let object = target.objectValue else {
            throw DecodeError(.wrongType, "The option pipe_target must be a message, not \(target.kind)", offset: 0)
        }
        return try Message(object)
    }
}

extension Message {
    /// Whether others are sent after the message with its result.
    package var isPiped: Bool { options.has(Pipeline.targetOption) }
}
