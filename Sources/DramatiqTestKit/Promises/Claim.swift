public import Dramatiq

/// Something that not every tested thing can do, or that not every subject can bring about. Promises that need more than
/// a subject claims don't apply to it, and are listed as such.
public struct Claim: Sendable, Hashable, CustomStringConvertible {
    public let description: String

    private init(_ description: String) {
        self.description = description
    }

    // MARK: What the subject can bring about

    /// ``ConformanceSubject/faults`` can refuse steps.
    public static let refusedSteps = Claim("steps can be refused")
    /// ``ConformanceSubject/faults`` can lose the answers to steps, as a connection does that ends too early.
    public static let lostAnswers = Claim("answers can be lost")
    /// ``ConformanceSubject/letPass(_:)`` lets time pass.
    public static let passingTime = Claim("time can pass")
    /// ``ConformanceSubject/cut()`` ends all connections.
    public static let cuts = Claim("connections can be cut")
    /// ``ConformanceSubject/restart()`` ends the server without warning and starts it again.
    public static let restarts = Claim("the server can be restarted")
    /// ``ConformanceSubject/forget()`` makes the place lose what it keeps.
    public static let forgetting = Claim("what is kept can be lost")
    /// ``TransportSubject/kill(_:)`` ends a client as a crash of its process does.
    public static let kills = Claim("a client can be killed")

    // MARK: What the tested thing can do

    /// A store's steps hold together or not at all: `StateAtomicity.commit`.
    public static let atomicSteps = Claim("steps at several barriers hold together")
    /// A backend can be waited on: it is a `NotifyingBackend`.
    public static let notifications = Claim("others can be notified")
    /// `TransportTraits.commitsIgnoreCancellation`.
    public static let steadyCommits = Claim("commits go on when their task is cancelled")
    /// `TransportTraits.isImmediate`.
    public static let immediacy = Claim("commits need no waiting")
    /// `TransportTraits.knowsPriorities`.
    public static let priorities = Claim("messages have priorities")
    /// `TransportTraits.knowsRedelivery`.
    public static let redelivery = Claim("redelivered messages are told apart")
    /// `TransportTraits.countsCrashes`.
    public static let crashCounts = Claim("crashes are counted")
    /// Commits execute the steps of the store that ``TransportSubject/makeStore(beside:)`` gives.
    public static let barriers = Claim("barriers are part of a commit")
    /// Commits keep results in the backend that ``TransportSubject/makeResults(beside:)`` gives.
    public static let results = Claim("results are part of a commit")
    /// A store has a `StateStore.runStore`.
    public static let runs = Claim("runs are kept")
    /// A transport has `Transport.operations`.
    public static let operations = Claim("queues can be looked after")
    /// These can pause queues.
    public static let pausing = Claim("queues can be paused")
    /// A store is a `WorkflowStoreOperations`.
    public static let storeOperations = Claim("stored contents can be looked after")
    /// A `WorkflowStore` removes what it is told to, or a `CallbackStorage` what a run has stored.
    public static let removing = Claim("what ended runs have stored is removed")
    /// An encoder reads what `JSONMessageEncoder` writes.
    public static let plainJSON = Claim("plain JSON is read")

    /// Those that say what a transport's traits say.
    static let ofTraits: Set<Claim> = [.immediacy, .priorities, .redelivery, .crashCounts, .steadyCommits]
}

extension TransportTraits {
    /// The claims that follow from the traits.
    public var claims: Set<Claim> {
        var claims: Set<Claim> = []
        if isImmediate { claims.insert(.immediacy) }
        if knowsPriorities { claims.insert(.priorities) }
        if knowsRedelivery { claims.insert(.redelivery) }
        if countsCrashes { claims.insert(.crashCounts) }
        if commitsIgnoreCancellation { claims.insert(.steadyCommits) }
        return claims
    }
}

extension StateAtomicity {
    /// The claims that follow from it.
    public var claims: Set<Claim> { self == .commit ? [.atomicSteps] : [] }
}

extension Set<Claim> {
    /// For people to read.
    var names: String { map(\.description).sorted().joined(separator: ", ") }
}
