/// A transport in this process's memory, which answers without being waited for.
///
/// A call that may suspend costs as much as settling a message in memory, so the worker and the broker use these where
/// they can, and the ones of ``Transport`` everywhere else.
package protocol ImmediateTransport: Transport {
    /// Sends one message.
    func sendNow(_ envelope: Envelope) throws

    /// Settles a delivery as ``Transport/settle(_:_:)`` does, but wakes no consumer for what it sends: the one who
    /// settles looks for its next message itself, and then calls ``wakeConsumers()``.
    ///
    /// - Returns: `nil` if it can't be done without waiting; nothing was done then.
    func settleNow(_ delivery: Delivery, _ settlement: Settlement) throws -> SettlementResult?

    /// Wakes the consumers that wait for messages which ``settleNow(_:_:)`` has sent and nobody has taken yet.
    func wakeConsumers()
}

/// A consumer of an ``ImmediateTransport``.
package protocol ImmediateConsumer: TransportConsumer {
    /// Takes a message if there is one.
    func takeNow() -> Delivery?
}
