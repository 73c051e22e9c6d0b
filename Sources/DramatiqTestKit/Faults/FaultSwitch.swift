public import Dramatiq
import Synchronization

/// Something that goes wrong with a step on its way to a place, or back.
public struct StepFault: Sendable, Hashable, CustomStringConvertible {
    public let description: String

    private init(_ description: String) {
        self.description = description
    }

    /// The step is not done.
    public static let refuse = StepFault("refused")
    /// The step is done, and its answer gets lost.
    public static let loseAnswer = StepFault("its answer lost")
}

/// What a ``FaultSwitch`` throws in the place of an answer: an outage, which is over soon.
public struct InjectedFault: TransientError, Hashable, CustomStringConvertible {
    public let fault: StepFault

    public var description: String { "A step was \(fault), as a test wanted it" }
}

/// Decides which steps fail. Whatever takes a step asks it, so that a promise can let any of them fail.
public final class FaultSwitch: Sendable {
    private struct State {
        var count = 0
        var plan: @Sendable (Int) -> StepFault? = { _ in nil }
    }

    private let state = Mutex(State())

    public init() {}

    /// How many steps there were since ``set(_:)``.
    public var count: Int { state.withLock(\.count) }

    /// What goes wrong from now on.
    ///
    /// - Parameter plan: the fault of a step, if any, by its number from now on, the first being 0.
    public func set(_ plan: @escaping @Sendable (Int) -> StepFault?) {
        state.withLock { $0 = State(count: 0, plan: plan) }
    }

    /// Lets one step fail.
    ///
    /// - Parameters:
    ///   - fault: what goes wrong with it.
    ///   - number: which one from now on, the first being 0.
    public func inject(_ fault: StepFault, at number: Int = 0) {
        set { $0 == number ? fault : nil }
    }

    /// Nothing goes wrong any more.
    public func clear() {
        set { _ in nil }
    }

    /// Asked once for each step: what goes wrong with it.
    public func next() -> StepFault? {
        state.withLock { state in
            defer { state.count += 1 }
            return state.plan(state.count)
        }
    }

    /// Takes a step, or fails in its place.
    ///
    /// - Throws: ``InjectedFault``, or what the step throws.
    public func perform<Result: Sendable>(_ step: @Sendable () async throws -> Result) async throws -> Result {
        let fault = next()
        if fault == .refuse { throw InjectedFault(fault: .refuse) }
        let result = try await step()
        if fault == .loseAnswer { throw InjectedFault(fault: .loseAnswer) }
        return result
    }
}
