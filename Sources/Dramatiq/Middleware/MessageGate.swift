/// A middleware that can keep a message from being processed, before any other has begun with it: nothing has to be undone
/// then.
package protocol MessageGate: Middleware {
    /// Whether it may withhold a message. Asked for every message, so it must not wait for anything.
    func mayWithhold(_ context: MessageContext) -> Bool

    /// Withholds a message if it has to: see ``MessageContext/withhold(_:)``.
    ///
    /// - Throws: what it means for the message says ``Middleware/failurePolicy``.
    func withhold(_ context: inout MessageContext) async throws
}
