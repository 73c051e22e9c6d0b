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
    /// What the message has of its worker's memory budget; `nil` for most, which are small.
    private let memory: MemoryShare?

    /// - Parameters:
    ///   - actor: `nil` if the worker has none of the message's name.
    ///   - memory: what it has of its worker's memory budget.
    init(delivery: Delivery, message: Message, actor: (any AnyTaskActor)?, memory: MemoryShare? = nil) {
        // Chosen here: were a caller to pass one kind of actor only, the optimizer would open the existential of all
        // others, too, and copy each of them to the heap twice.
        let actor = actor ?? UndeclaredActor(name: message.actorName)
        self.delivery = delivery
        self.message = message
        self.memory = memory
        self.actor = actor
        hasOptions = !message.options.isOnlyTransport
        hasAnyOptions = hasOptions || !actor.options.isEmpty
    }
}
