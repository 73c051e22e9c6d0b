import Synchronization

/// Collects values from any number of tasks, in the order in which they come.
public final class Recorder<Value: Sendable>: Sendable {
    private let state = Mutex<[Value]>([])

    public init() {}

    public var values: [Value] { state.withLock(\.self) }
    public var count: Int { state.withLock(\.count) }

    /// Adds a value and returns how many there are.
    @discardableResult
    public func add(_ value: Value) -> Int {
        state.withLock { values in
            values.append(value)
            return values.count
        }
    }
}
