import Synchronization

/// How much memory a worker's messages may take, and how much they do; see ``Worker/memoryBudget``.
///
/// Only messages that aren't small are counted (``MessageMemory/small``), so all others cost no step here.
final class MemoryBudget: Sendable {
    private struct State {
        var used = 0
        /// Who waits for a share.
        var waiting: [Signal] = []

        mutating func takeWaiting() -> [Signal] {
            if waiting.isEmpty { return [] }
            defer { waiting = [] }
            return waiting
        }
    }

    private let limit: Int
    /// What a message counts at most, so that it passes although others are processed that take long.
    private let largest: Int
    private let state = Mutex(State())

    /// - Parameter limit: in bytes.
    init(limit: Int) {
        self.limit = max(1, limit)
        largest = max(1, self.limit / 4 * 3)
    }

    /// How many bytes are in use.
    var used: Int { state.withLock(\.used) }

    /// A share for a message, if there is room for it.
    func shareNow(_ bytes: Int) -> MemoryShare? {
        share(bytes, orTell: nil)
    }

    /// A share for a message, waiting for it; `nil` once the task is cancelled.
    func share(_ bytes: Int) async -> MemoryShare? {
        let signal = Signal()
        defer { state.withLock { $0.waiting.removeAll { $0 === signal } } }
        while !Task.isCancelled {
            if let share = share(bytes, orTell: signal) { return share }
            await signal.wait()
        }
        return nil
    }

    private func share(_ bytes: Int, orTell signal: Signal?) -> MemoryShare? {
        let bytes = min(bytes, largest)
        let hasRoom = state.withLock { state in
            if state.used == 0 || state.used <= limit - bytes {
                state.used += bytes
                return true
            }
            if let signal { state.waiting.append(signal) }
            return false
        }
        return hasRoom ? MemoryShare(self, bytes) : nil
    }

    /// Makes a share another size, if there is room for that.
    fileprivate func resize(_ old: Int, to wanted: Int) -> Int? {
        let new = min(wanted, largest)
        let (hasRoom, waiting) = state.withLock { state -> (Bool, [Signal]) in
            let others = state.used - old
            guard new <= old || others == 0 || others <= limit - new else { return (false, []) }
            state.used = others + new
            return (true, new < old ? state.takeWaiting() : [])
        }
        for signal in waiting { signal.signal() }
        return hasRoom ? new : nil
    }

    fileprivate func giveBack(_ bytes: Int) {
        let waiting = state.withLock { state in
            state.used -= bytes
            return state.takeWaiting()
        }
        for signal in waiting { signal.signal() }
    }
}

/// What one message has of a worker's budget. It is given back when nobody holds the message any more, whichever way it
/// ended.
final class MemoryShare: Sendable {
    private let budget: MemoryBudget
    private let bytes: Atomic<Int>

    fileprivate init(_ budget: MemoryBudget, _ bytes: Int) {
        self.budget = budget
        self.bytes = Atomic(bytes)
    }

    deinit {
        budget.giveBack(bytes.load(ordering: .acquiring))
    }

    /// Makes it another size, if there is room for that. For who has made it, before it is handed on.
    func resize(to wanted: Int) -> Bool {
        guard let new = budget.resize(bytes.load(ordering: .acquiring), to: wanted) else { return false }
        bytes.store(new, ordering: .releasing)
        return true
    }
}
