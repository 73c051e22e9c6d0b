import Synchronization

/// How many commands wait to be sent or answered, known to the tasks that bring more.
final class PendingCount: Sendable {
    private let maximum: Int
    private let count = Atomic(0)

    init(maximum: Int) {
        self.maximum = maximum
    }

    /// Counts commands, unless they would be too many. Those that come alone never are.
    func admit(_ commands: Int) -> RedisError? {
        let before = count.wrappingAdd(commands, ordering: .relaxed).oldValue
        guard before > 0, before + commands > maximum else { return nil }
        change(by: -commands)
        return RedisError(.queueFull, "More than \(maximum) commands would wait for the server")
    }

    func change(by difference: Int) {
        if difference != 0 { count.wrappingAdd(difference, ordering: .relaxed) }
    }
}
