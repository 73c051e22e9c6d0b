/// Stands in for the actor of a message that has none here, so that the middleware can see to the message.
package struct UndeclaredActor: AnyTaskActor {
    package let name: String
    package var queueName: String { "default" }
    package var priority: Int { 0 }
    package var options: ActorOptions { ActorOptions() }

    package init(name: String) {
        self.name = name
    }

    package func perform(_ message: Message) async throws -> ActorResult {
        throw BrokerError.actorNotFound(name: name)
    }
}
