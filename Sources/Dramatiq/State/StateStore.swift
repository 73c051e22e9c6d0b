/// Keeps the barriers of workflows, and what becomes of their runs if it can.
///
/// The core takes the steps of a commit with the transport's if ``Transport/includes(_:)-(StateStore)`` says that both are
/// in the same place. Otherwise it has the store take them before and after the transport's, in an order in which a crash
/// or a lost answer loses nothing and starts nothing too early.
///
/// What must hold: an arrival is counted by its party, so one that comes again changes nothing; a barrier that is not
/// there is an error, never a complete one; steps can be repeated.
public protocol StateStore: Sendable {
    /// What it is known by, whatever wraps it: a store that passes its steps on to another one passes this on, too.
    var identity: StoreIdentity { get }

    /// What it can do as a whole. The core never asks for more.
    var atomicity: StateAtomicity { get }

    /// What the keys of barriers begin with, unless the transport says so. Defaults to nothing.
    var barrierKeyPrefix: String { get }

    /// The runs that it keeps beside the barriers. Defaults to `nil`: it leaves ``StateCommit/run`` out.
    var runStore: (any RunStore)? { get }

    /// Makes sure that barriers can be kept. A worker calls it before it takes anything. Does nothing unless implemented.
    ///
    /// - Parameter barrierKeyPrefix: what the barriers' keys begin with.
    /// - Throws: as ``Transport/verifyAccess(to:)``.
    func verifyAccess(barrierKeyPrefix: String) async throws

    /// Takes steps; see ``StateCommit``.
    ///
    /// - Throws: ``BarrierStateLost`` if a barrier is missing.
    func apply(_ steps: StateCommit) async throws -> StateCommit.Result
}

extension StateStore {
    public var barrierKeyPrefix: String { "" }
    public var runStore: (any RunStore)? { nil }
    public func verifyAccess(barrierKeyPrefix: String) async throws {}
}

/// What a store does as a whole or not at all.
public struct StateAtomicity: Sendable, Hashable {
    private let isOfCommit: Bool

    /// All steps of a ``StateCommit``.
    public static let commit = StateAtomicity(isOfCommit: true)
    /// One step at one barrier: an arrival, a release, a creation or a refresh.
    public static let key = StateAtomicity(isOfCommit: false)
}

/// Where a store keeps things: two stores with the same one keep them in the same place, and so does a transport that
/// ``Transport/includes(_:)-(StateStore)`` it.
public struct StoreIdentity: Sendable, Hashable {
    /// The connection, or the store itself if it needs none.
    package let place: any AnyObject & Sendable

    public init(_ place: any AnyObject & Sendable) {
        self.place = place
    }

    public static func == (left: StoreIdentity, right: StoreIdentity) -> Bool { left.place === right.place }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(ObjectIdentifier(place))
    }
}
