/// What a broker and a worker need of an actor, whatever its arguments are.
///
/// ``TaskActor`` is the one to use; conform a type of your own only for arguments that are not known when compiling.
public protocol AnyTaskActor: Sendable {
    /// The name that messages carry.
    var name: String { get }
    /// The queue that its messages go to.
    var queueName: String { get }
    /// Of the messages that a worker holds, those of actors with a lower number run first.
    var priority: Int { get }
    /// Settings for the middleware.
    var options: ActorOptions { get }

    /// Runs the actor.
    ///
    /// - Throws: ``ArgumentMismatch`` if the message's arguments don't fit, which dead-letters it at once; any other
    ///   error is the actor's own.
    func perform(_ message: Message) async throws -> ActorResult
}

/// What an actor returned.
public struct ActorResult: Sendable {
    /// The value, or `nil` if the actor returns nothing.
    public let value: (any Sendable)?
    /// What a middleware has to say to its own later hooks about how the actor ran.
    package var note: (any AnyObject & Sendable)?

    /// No value.
    public static let none = ActorResult(value: nil)

    public init(value: (any Sendable)?) {
        self.value = value
    }

    /// The value as JSON; `null` if there is none.
    ///
    /// - Throws: ``ResultNotEncodable``, or what the value's `encode(to:)` throws.
    public func jsonValue() throws -> JSONValue {
        guard let value else { return .null }
        guard let encodable = value as? any Encodable else {
            throw ResultNotEncodable(typeName: "\(type(of: value))")
        }
        return try JSONValue(encoding: encodable)
    }
}

/// An actor's result has to travel in a message and its type is not `Encodable`.
public struct ResultNotEncodable: Error, Sendable, CustomStringConvertible {
    public let typeName: String

    public var description: String {
        "The result can't be passed on: \(typeName) is not Encodable"
    }
}

/// A message's arguments are not those that the actor takes.
public struct ArgumentMismatch: Error, Sendable, Hashable, CustomStringConvertible {
    public let actorName: String
    public let messageID: String
    /// What is wrong with which argument.
    public let reason: String

    public var description: String {
        "Message \(messageID) doesn't fit actor '\(actorName)': \(reason)"
    }
}
