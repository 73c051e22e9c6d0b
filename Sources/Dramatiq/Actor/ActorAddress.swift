/// An actor that is to get messages: one that is declared on the broker, or one of any program, with its queue.
///
///     .onFailure("tell_support")                      // declared on this broker
///     .onFailure("tell_support", queue: "python")     // declared on this broker, on another one, or in Python
///
/// In an option of a message the first is the plain string `"tell_support"`, as in Python; the second is the object
/// `{"actor_name":"tell_support","queue_name":"python"}`, which Python's workers can't read.
public struct ActorAddress: Sendable, Hashable {
    public let actorName: String
    /// The queue that the actor's messages go to; `nil` for the one with which it is declared.
    public let queueName: String?

    public init(_ actorName: String, queue queueName: String? = nil) {
        self.actorName = actorName
        self.queueName = queueName
    }

    /// Reads an address from JSON; `nil` if it is none.
    public init?(_ value: JSONValue) {
        switch value {
        case .string(let name):
            self.init(name)
        case .object(let object):
            let (values, count) = object.select(["actor_name", "queue_name"])
            guard let name = values[0]?.stringValue, let queue = values[1]?.stringValue, count == 2 else { return nil }
            self.init(name, queue: queue)
        default:
            return nil
        }
    }

    /// The address as JSON.
    public var jsonValue: JSONValue {
        guard let queueName else { return .string(actorName) }
        return ["actor_name": .string(actorName), "queue_name": .string(queueName)]
    }
}

extension ActorAddress {
    public static func == (left: ActorAddress, right: ActorAddress) -> Bool {
        left.actorName.hasSameBytes(as: right.actorName)
            && left.queueName.map { TextKey($0) } == right.queueName.map { TextKey($0) }
    }

    public func hash(into hasher: inout Hasher) {
        actorName.hashBytes(into: &hasher)
        hasher.combine(queueName.map { TextKey($0) })
    }
}

extension ActorAddress: CustomStringConvertible {
    public var description: String { queueName.map { "\(actorName) on queue \($0)" } ?? actorName }
}

/// An actor that gets messages by a setting of an actor or a middleware.
struct ActorTarget: Sendable {
    /// Whose setting it is.
    let of: String
    let option: String
    let address: ActorAddress
}
