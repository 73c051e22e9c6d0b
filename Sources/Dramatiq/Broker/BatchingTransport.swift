/// A transport over a server that many messages can be settled with in one step.
///
/// Waiting for each step costs a worker more than the step itself, so it uses these where it can, and the ones of
/// ``Transport`` everywhere else.
package protocol BatchingTransport: Transport {
    /// Acknowledges a delivery from which nothing else follows. The observer is told once what became of it.
    ///
    /// - Parameter token: what the observer knows it by.
    func acknowledgeSoon(
        _ delivery: Delivery,
        token: any AnyObject & Sendable,
        _ observer: any AcknowledgementObserver
    )

    /// Whether ``settleSoon(_:_:_:)`` can do a settlement: an acknowledgement with an arrival that releases nothing.
    func canSettleSoon(_ settlement: Settlement) -> Bool

    /// Settles a delivery as ``Transport/settle(_:_:)`` does. The observer is told once what became of it.
    func settleSoon(_ delivery: Delivery, _ settlement: Settlement, _ observer: any SettlementObserver)

    /// Settles a delivery as ``Transport/settle(_:_:)`` does. The first successor goes straight to a consumer of its
    /// queue if the successors are sent and nothing waits in that queue before them.
    ///
    /// - Returns: with the result what the consumer's owner now holds, as if it had taken it.
    func settle(
        _ delivery: Delivery,
        _ settlement: Settlement,
        relayingTo consumer: any TransportConsumer
    ) async throws -> (result: SettlementResult, relayed: Delivery?)
}

/// Hears what became of acknowledgements; see ``BatchingTransport``.
package protocol AcknowledgementObserver: AnyObject, Sendable {
    /// A number of deliveries is acknowledged.
    func didAcknowledge(_ count: Int)

    /// The deliveries of these tokens may not be acknowledged. Whoever settles them again learns why.
    func didNotAcknowledge(_ tokens: [any AnyObject & Sendable])
}

/// Hears what became of one settlement; see ``BatchingTransport``.
package protocol SettlementObserver: AnyObject, Sendable {
    func didSettle(_ result: Result<SettlementResult, any Error>)
}
