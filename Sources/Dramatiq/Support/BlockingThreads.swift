import DequeModule
import Dispatch
import Synchronization

#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// A few threads that run what blocks (file access, hashing, compressing), in the order in which it comes, so that it never
/// holds up the tasks that share the cooperative pool. They are started when there is work and end with this.
package final class BlockingThreads: Sendable {
    private let work: Work

    /// - Parameter count: how many threads there are at most.
    package init(count: Int) {
        work = Work(maxThreads: count)
    }

    deinit {
        work.close()
    }

    /// Runs a closure on one of the threads. Long ones look at the cancellation that they are given now and then; one
    /// whose task is cancelled before it begins doesn't run. One that doesn't end within a second after that, such as on a
    /// disk that doesn't answer, is no longer waited for: it has to be able to end alone.
    ///
    /// - Throws: what the closure throws; `CancellationError` instead if the task was cancelled.
    package func run<Value: Sendable>(
        _ body: @escaping @Sendable (Cancellation) throws -> Value
    ) async throws -> Value {
        let call = BlockingCall<Value>()
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                if call.begin(continuation) { work.add { call.run(body) } }
            }
        } onCancel: {
            call.cancel()
        }
    }
}

/// A closure that waits for its thread or runs on it, and the task that waits for what it returns.
private final class BlockingCall<Value: Sendable>: Sendable {
    /// How long a task that is cancelled still waits.
    private static var patience: DispatchTimeInterval { .seconds(1) }

    private struct State {
        var continuation: CheckedContinuation<Value, any Error>?
        var isRunning = false
    }

    private let state = Mutex(State())
    private let cancellation = Cancellation()

    /// - Returns: whether the closure is to run.
    func begin(_ continuation: CheckedContinuation<Value, any Error>) -> Bool {
        state.withLock { $0.continuation = continuation }
        // Cancelled before there was somebody to tell.
        if cancellation.isCancelled { end(.failure(CancellationError())) }
        return state.withLock { $0.continuation != nil }
    }

    func run(_ body: (Cancellation) throws -> Value) {
        let isWanted = state.withLock { state in
            state.isRunning = state.continuation != nil
            return state.isRunning
        }
        guard isWanted else { return }
        end(
            Result {
                do {
                    try cancellation.check()
                    return try body(cancellation)
                } catch {
                    try cancellation.check()
                    throw error
                }
            })
    }

    func cancel() {
        cancellation.cancel()
        guard state.withLock(\.isRunning) else { return end(.failure(CancellationError())) }
        DispatchQueue.global().asyncAfter(deadline: .now() + Self.patience) {
            self.end(.failure(CancellationError()))
        }
    }

    private func end(_ result: Result<Value, any Error>) {
        let continuation = state.withLock { state in
            defer { state.continuation = nil }
            return state.continuation
        }
        continuation?.resume(with: result)
    }
}

/// Tells a thread that the task which waits for it was cancelled.
package final class Cancellation: Sendable {
    private let state = Atomic(false)

    package init() {}

    package var isCancelled: Bool { state.load(ordering: .relaxed) }

    package func cancel() {
        state.store(true, ordering: .relaxed)
    }

    /// - Throws: `CancellationError` once it is.
    package func check() throws {
        if isCancelled { throw CancellationError() }
    }
}

/// What the threads share. They hold this and not ``BlockingThreads``, whose end is theirs.
private final class Work: Sendable {
    private struct State {
        var jobs = Deque<@Sendable () -> Void>()
        var threads = 0
        var idle = 0
        var isClosed = false
    }

    private let maxThreads: Int
    private let state = Mutex(State())
    /// Counts what there is for idle threads to wake up for.
    private let wakeups = DispatchSemaphore(value: 0)

    init(maxThreads: Int) {
        self.maxThreads = maxThreads
    }

    func add(_ job: @escaping @Sendable () -> Void) {
        let isNewThreadNeeded = state.withLock { state in
            state.jobs.append(job)
            guard state.idle < state.jobs.count, state.threads < maxThreads else { return false }
            state.threads += 1
            return true
        }
        if isNewThreadNeeded, !startThread() {
            // Without memory for a thread there are the others; without any, this one has to do it.
            let isAlone = state.withLock { state in
                state.threads -= 1
                return state.threads == 0
            }
            if isAlone, let job = state.withLock({ $0.jobs.popFirst() }) { return job() }
        }
        wakeups.signal()
    }

    /// Lets the threads end once there is nothing left to do.
    func close() {
        let threads = state.withLock { state in
            state.isClosed = true
            return state.threads
        }
        for _ in 0..<threads { wakeups.signal() }
    }

    private func runJobs() {
        while true {
            state.withLock { $0.idle += 1 }
            wakeups.wait()
            let (job, isClosed) = state.withLock { state in
                state.idle -= 1
                return (state.jobs.popFirst(), state.isClosed)
            }
            if let job { job() } else if isClosed { return }
        }
    }

    private func startThread() -> Bool {
        let context = Unmanaged.passRetained(self).toOpaque()
        #if canImport(Darwin)
            var thread: pthread_t?
            let result = pthread_create(&thread, nil, { Work.run($0) }, context)
            if result == 0, let thread { pthread_detach(thread) }
        #else
            var thread = pthread_t()
            let result = pthread_create(&thread, nil, { Work.run($0) }, context)
            if result == 0 { pthread_detach(thread) }
        #endif
        if result != 0 { Unmanaged<Work>.fromOpaque(context).release() }
        return result == 0
    }

    private static func run(_ context: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
        if let context { Unmanaged<Work>.fromOpaque(context).takeRetainedValue().runJobs() }
        return nil
    }
}
