/// Cancels actors that ask for it (`notify_shutdown`) as soon as their worker begins to shut down, instead of after the
/// grace period. Their messages go back to the queue.
public struct ShutdownNotifications: ImmediateMiddleware {
    /// Whether actors and messages that say nothing are cancelled. Defaults to `false`.
    public let notifyShutdown: Bool

    public init(notifyShutdown: Bool = false) {
        self.notifyShutdown = notifyShutdown
    }

    public var actorOptions: Set<String> { ["notify_shutdown"] }

    package func prepare(_ context: inout MessageContext) throws {
        context.isCancelledOnShutdown = context.option("notify_shutdown")?.isTruthy ?? notifyShutdown
    }
}
