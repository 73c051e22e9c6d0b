public import Dramatiq

/// An attempt at a message that has ended in a ``TestEnvironment``.
public struct TaskAttempt: Sendable {
    public struct Outcome: Sendable, Hashable, CustomStringConvertible {
        /// Its actor returned.
        public static let succeeded = Outcome("succeeded")
        /// Its actor threw, and the message was sent once more.
        public static let retried = Outcome("retried")
        /// The message has failed for good, and is a dead letter.
        public static let failed = Outcome("failed")
        /// Its actor was left out.
        public static let skipped = Outcome("skipped")
        /// Its worker ended before it did, and the message went back to its queue.
        public static let returned = Outcome("returned")

        public let description: String

        private init(_ description: String) {
            self.description = description
        }
    }

    public let message: Message
    public let outcome: Outcome
    /// What its actor threw, or why it was cancelled.
    public let error: (any Error)?
    /// Why the message failed for good.
    public let reason: String?
    /// When the actor began, by the environment's clock; `nil` if it didn't.
    public let began: TestClock.Instant?
    public let ended: TestClock.Instant
}

/// A message that was sent in a ``TestEnvironment``.
public struct EnqueuedMessage: Sendable {
    public let message: Message
    /// How long it is delayed.
    public let delay: Duration?
    /// When it was sent, by the environment's clock.
    public let time: TestClock.Instant
}

/// What a test has an actor throw.
public struct InjectedFailure: Error, Hashable, CustomStringConvertible {
    public let description: String

    public init(_ description: String = "A test has had it fail") {
        self.description = description
    }
}

/// A ``TestEnvironment`` can't go on.
public struct TestEnvironmentError: Error, Sendable, CustomStringConvertible {
    public struct Code: Sendable, Hashable, CustomStringConvertible {
        /// Tasks go on for longer than the test has patience.
        public static let unfinished = Code("unfinished")

        public let description: String

        private init(_ description: String) {
            self.description = description
        }
    }

    public let code: Code
    public let description: String
    /// How many messages are not finished.
    public let unfinishedCount: Int
    /// The names of the actors that run.
    public let running: [String]

    static func unfinished(count: Int, running: [String]) -> TestEnvironmentError {
        let names = running.isEmpty ? "" : "; these run: " + running.joined(separator: ", ")
        return TestEnvironmentError(
            code: .unfinished, description: "\(count) messages are not finished\(names)", unfinishedCount: count,
            running: running)
    }
}
