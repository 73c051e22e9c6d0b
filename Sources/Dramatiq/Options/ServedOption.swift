/// An option that a middleware serves when a message or an actor has it.
///
/// A worker puts a message aside whose options can't be served, before the actor runs: one whose loss would lose work in
/// silence and that no middleware of its broker serves, or one that names an actor that nobody knows.
public struct ServedOption: Sendable {
    public let name: String
    /// Reads the actors that get messages by a value; throws a ``Refusal`` if the value can't be read.
    let addresses: (@Sendable (JSONValue) throws -> [ActorAddress])?

    /// Why a value can't be served, for a person to read.
    public struct Refusal: PermanentError, Sendable, CustomStringConvertible {
        public let description: String

        public init(_ reason: String) {
            description = reason
        }
    }

    /// - Parameters:
    ///   - name: the option's name, as in `time_limit`.
    ///   - addresses: the actors that a value names, which must be known before the message's actor runs. What it throws
    ///     makes the message a dead letter; throw a ``Refusal`` for a readable reason. Without it, any value will do.
    public init(_ name: String, addresses: (@Sendable (JSONValue) throws -> [ActorAddress])? = nil) {
        self.name = name
        self.addresses = addresses
    }

    /// An option that is the ``ActorAddress`` of an actor; values that Python takes for false name none.
    public static func address(_ name: String) -> ServedOption {
        ServedOption(name) { value in
            guard value.isTruthy else { return [] }
            guard let address = ActorAddress(value) else {
                throw Refusal(
                    "it must be the name of an actor, or {\"actor_name\": …, \"queue_name\": …} for one that this "
                        + "program doesn't declare")
            }
            return [address]
        }
    }
}
