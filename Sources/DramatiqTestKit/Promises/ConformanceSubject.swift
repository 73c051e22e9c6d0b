/// What promises are checked on: makes what is tested, and brings faults about. Each check gets a fresh one.
public protocol ConformanceSubject: Sendable {
    /// What promises may rely on beyond what everything has to do. Defaults to nothing.
    var claims: Set<Claim> { get }

    /// Decides which steps fail: a transport's commits, a store's steps, the operations of a backend or a storage. The
    /// subject puts it where the steps go to their place, as ``FaultyTransport`` does. Needed for
    /// ``Claim/refusedSteps`` and ``Claim/lostAnswers``.
    var faults: FaultSwitch { get }

    /// How long what has to come is waited for. Only a hang takes that long. Defaults to a minute.
    var patience: Duration { get }

    /// How long the promises have things kept that expire. Long enough not to be over by accident, short enough for
    /// ``letPass(_:)`` to let it pass a few times. Defaults to a hundred seconds, for subjects with a clock of their own.
    var lifetime: Duration { get }

    /// Lets time pass for what is kept. Needed for ``Claim/passingTime``.
    ///
    /// - Throws: ``NotImplemented`` unless implemented.
    func letPass(_ time: Duration) async throws

    /// Ends all connections to the place, which can be reached again at once. Needed for ``Claim/cuts``.
    ///
    /// - Throws: ``NotImplemented`` unless implemented.
    func cut() async throws

    /// Ends the server as a crash does and starts it again. Needed for ``Claim/restarts``.
    ///
    /// - Throws: ``NotImplemented`` unless implemented.
    func restart() async throws

    /// Makes the place lose all that it keeps for workflows: barriers, stored callbacks. Messages stay. Needed for
    /// ``Claim/forgetting``.
    ///
    /// - Throws: ``NotImplemented`` unless implemented.
    func forget() async throws

    /// The check is over: closes what was made for it. Does nothing unless implemented.
    func finish() async
}

extension ConformanceSubject {
    public var claims: Set<Claim> { [] }
    public var faults: FaultSwitch { FaultSwitch() }
    public var patience: Duration { .seconds(60) }
    public var lifetime: Duration { .seconds(100) }
    public func letPass(_ time: Duration) async throws { throw NotImplemented(claim: .passingTime) }
    public func cut() async throws { throw NotImplemented(claim: .cuts) }
    public func restart() async throws { throw NotImplemented(claim: .restarts) }
    public func forget() async throws { throw NotImplemented(claim: .forgetting) }
    public func finish() async {}
}

/// A subject claims something and doesn't implement what that needs.
public struct NotImplemented: Error, Sendable, Hashable, CustomStringConvertible {
    public let claim: Claim

    public init(claim: Claim) {
        self.claim = claim
    }

    public var description: String { "The subject claims that \(claim), and doesn't implement it" }
}
