import Synchronization

/// Bounds how many messages of a worker are done without being known to be acknowledged: after a crash they run again.
///
/// The commits of many of them go together. Meanwhile the processors go on: with all that the
/// worker holds while acknowledgements come promptly, so that only messages that take no time get ahead, and otherwise
/// with no more messages than if each processor waited for the acknowledgement of its own.
final class AcknowledgementWindow: Sendable {
    /// How long nothing may be acknowledged before the narrower limit holds.
    private static let patience = Duration.milliseconds(50)

    /// A message that a worker has to see to: its commit has failed or opened a barrier.
    struct Unfinished: Sendable {
        let item: WorkItem
        /// What follows from it; `nil` if it was only to be acknowledged.
        let context: MessageContext?
        let earlier: Worker.Earlier

        init(_ item: WorkItem, _ context: MessageContext?, _ earlier: Worker.Earlier) {
            self.item = item
            self.context = context
            self.earlier = earlier
        }
    }

    private struct State {
        var pending = 0
        /// When something was acknowledged.
        var latest: Moment?
        /// Processors that have to wait.
        var waiting: [Signal] = []
        /// What has to be seen to; they are pending as well.
        var unfinished: [Unfinished] = []
        /// Who waits until nothing is pending.
        var drain: Signal?

        func hasPlace(promptLimit: Int, limit: Int) -> Bool {
            if pending < limit { return true }
            guard pending < promptLimit, let latest else { return false }
            return Moment.now - latest < AcknowledgementWindow.patience
        }

        mutating func enter(promptLimit: Int, limit: Int) -> (isIn: Bool, next: Signal?) {
            guard hasPlace(promptLimit: promptLimit, limit: limit) else { return (false, nil) }
            pending += 1
            // One wakes the other, so that a processor that finds much to do is not one of many for nothing.
            let wakes = !waiting.isEmpty && hasPlace(promptLimit: promptLimit, limit: limit)
            return (true, wakes ? waiting.removeLast() : nil)
        }
    }

    private let limit: Int
    private let promptLimit: Int
    private let state = Mutex(State())
    private let news = Signal()

    /// - Parameters:
    ///   - limit: how many messages always have a place.
    ///   - promptLimit: how many have one while acknowledgements come promptly.
    init(limit: Int, promptLimit: Int) {
        self.limit = limit
        self.promptLimit = promptLimit
    }

    /// Takes a place for one message if there is one.
    func enterNow() -> Bool {
        let (isIn, next) = state.withLock { $0.enter(promptLimit: promptLimit, limit: limit) }
        next?.signal()
        return isIn
    }

    /// Takes a place for one message, waiting for it.
    ///
    /// - Parameter signal: the caller's own.
    /// - Returns: `false` if the task was cancelled.
    func enter(_ signal: Signal) async -> Bool {
        while true {
            let (isIn, next) = state.withLock { state in
                let result = state.enter(promptLimit: promptLimit, limit: limit)
                if !result.isIn { state.waiting.append(signal) }
                return result
            }
            next?.signal()
            if isIn { return true }
            await signal.wait()
            state.withLock { state in state.waiting.removeAll { $0 === signal } }
            if Task.isCancelled { return false }
        }
    }

    /// Gives places back.
    ///
    /// - Parameter isPrompt: whether the messages were acknowledged at once.
    func leave(_ count: Int, isPrompt: Bool) {
        let now = isPrompt ? Moment.now : nil
        let (next, drain) = state.withLock { state in
            state.pending -= count
            state.latest = now
            return (state.waiting.popLast(), state.pending == 0 ? state.drain : nil)
        }
        next?.signal()
        drain?.signal()
    }

    /// Something has to be seen to. It keeps its place.
    func add(_ unfinished: Unfinished) {
        state.withLock { state in
            state.unfinished.append(unfinished)
            state.latest = nil
        }
        news.signal()
    }

    /// Waits for what has to be seen to; nothing once the task is cancelled.
    func unfinished() async -> [Unfinished] {
        while !Task.isCancelled {
            let unfinished = state.withLock { state in
                defer { state.unfinished = [] }
                return state.unfinished
            }
            if !unfinished.isEmpty { return unfinished }
            await news.wait()
        }
        return []
    }

    /// Waits until every message is acknowledged or given up.
    func drain() async {
        let signal = Signal()
        let isEmpty = state.withLock { state in
            state.drain = signal
            return state.pending == 0
        }
        if !isEmpty { await signal.wait() }
    }
}
