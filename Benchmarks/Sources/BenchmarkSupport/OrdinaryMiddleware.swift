public import Dramatiq
import Synchronization

/// Middleware as people write them: one looks at each message before it runs, one at what came of it, one counts.
public enum OrdinaryMiddleware {
    public static var three: [any Middleware] { [Starts(), Outcomes(), Acknowledgements()] }

    private final class Starts: BeforeProcessMessage {
        private let count = Atomic(0)

        func beforeProcessMessage(_ context: inout MessageContext) async throws {
            count.add(context.message.args.isEmpty ? 0 : 1, ordering: .relaxed)
        }
    }

    private final class Outcomes: AfterProcessMessage {
        private let failures = Atomic(0)

        func afterProcessMessage(_ context: inout MessageContext) async throws {
            if context.error != nil { failures.add(1, ordering: .relaxed) }
        }
    }

    private final class Acknowledgements: AfterAck {
        private let count = Atomic(0)

        func afterAck(_ context: MessageContext) {
            count.add(1, ordering: .relaxed)
        }
    }
}
