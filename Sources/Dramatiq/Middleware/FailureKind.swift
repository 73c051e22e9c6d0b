/// What kind of failure has made a message a dead letter: one word of a few, where the reason is a text of any length.
public struct FailureKind: Sendable, Hashable, CustomStringConvertible {
    /// The word, such as `retries`: good as a label of metrics.
    public let description: String

    private init(_ description: String) {
        self.description = description
    }

    /// Its actor threw, and no retries were left.
    public static let retries = FailureKind("retries")
    /// Its actor threw one of the errors that it names as its option `throws`.
    public static let expected = FailureKind("expected")
    /// Its arguments are not those of its actor.
    public static let arguments = FailureKind("arguments")
    /// It was older than its `max_age`.
    public static let age = FailureKind("age")
    /// An option of it can't be served.
    public static let option = FailureKind("option")
    /// Its worker has no actor of its name.
    public static let unknownActor = FailureKind("unknown_actor")
    /// Its bytes are no message.
    public static let unreadable = FailureKind("unreadable")
    /// Too many workers were lost over it.
    public static let crashes = FailureKind("crashes")
    /// A barrier that it has to arrive at is gone.
    public static let barrierLost = FailureKind("barrier_lost")
    /// A hook or a commit failed after all attempts at it.
    public static let following = FailureKind("following")
    /// A middleware has declared it failed.
    public static let declared = FailureKind("declared")

    /// The kind of a failure in what follows from a message.
    static func following(_ error: any Error) -> FailureKind {
        error is BarrierStateLost ? .barrierLost : .following
    }
}

extension FailureKind {
    public static func == (left: FailureKind, right: FailureKind) -> Bool {
        left.description.hasSameBytes(as: right.description)
    }

    public func hash(into hasher: inout Hasher) {
        description.hashBytes(into: &hasher)
    }
}
