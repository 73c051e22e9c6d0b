/// A delivery with the message that it turned out to be and the actor for that. It is handed around a lot, so everybody
/// shares one.
package final class DeliveredMessage: Sendable {
    package let delivery: Delivery
    package let message: Message
    package let actor: any AnyTaskActor
    /// Whether the message has options that a middleware may want to know: more than what transports note.
    package let hasOptions: Bool
    /// Whether the message has any, or the actor.
    let hasAnyOptions: Bool

    init(delivery: Delivery, message: Message, actor: any AnyTaskActor) {
        self.delivery = delivery
        self.message = message
        self.actor = actor
        hasOptions = !message.options.isOnlyTransport
        hasAnyOptions = hasOptions || !actor.options.isEmpty
    }
}
