import Logging
import NIOCore
import Synchronization

/// A connection that is made when a command needs it and made again when it is lost. Takes requests from any task;
/// what comes within one turn of its event loop is sent with one write.
final class RedisConnection: Sendable {
    /// What came since the event loop looked last.
    private struct Inbox {
        var requests: [PendingRequest<RedisRequest>] = []
        var cancelled: [UInt64] = []
        var isScheduled = false
        var nextID: UInt64 = 0

        /// Returns whether the event loop has to be woken.
        mutating func schedule() -> Bool {
            defer { isScheduled = true }
            return !isScheduled
        }
    }

    let eventLoop: any EventLoop
    private let pendingCount: PendingCount
    private let inbox = Mutex(Inbox())
    private let driver: NIOLoopBoundBox<ConnectionDriver>

    init(connector: ChannelConnector, isBlocking: Bool, eventLoop: any EventLoop, logger: Logger) {
        self.eventLoop = eventLoop
        pendingCount = PendingCount(maximum: connector.configuration.maxPendingCommands)
        driver = .makeBoxSendingValue(
            ConnectionDriver(
                connector: connector, isBlocking: isBlocking, pendingCount: pendingCount, eventLoop: eventLoop,
                logger: logger),
            eventLoop: eventLoop)
    }

    /// Runs commands.
    ///
    /// - Parameter wait: ends the waiting if it is given up; without one, the cancellation of the task does.
    /// - Throws: `CancellationError`; what else goes wrong is in the results.
    func run(_ request: RedisRequest, _ wait: AnswerWait? = nil) async throws -> RedisRequest.Results {
        if let wait {
            return try await wait(cancelling: { self.cancel(request) }) {
                try await withUnsafeThrowingContinuation { submit(request, $0) }
            }
        }
        return try await withTaskCancellationHandler {
            try await withUnsafeThrowingContinuation { submit(request, $0) }
        } onCancel: {
            cancel(request)
        }
    }

    private func submit(_ request: RedisRequest, _ continuation: UnsafeContinuation<RedisRequest.Results, any Error>) {
        let count = request.commands.count
        let refusal = pendingCount.admit(count)
        let (isTaken, wakes) = inbox.withLock { inbox in
            let id = inbox.nextID
            guard request.submit(id: id, continuation) else { return (false, false) }
            guard refusal == nil else { return (true, false) }
            inbox.nextID += 1
            inbox.requests.append(
                PendingRequest(id: id, request: request, commandCount: count, deadline: request.deadline))
            return (true, inbox.schedule())
        }
        if let refusal {
            request.fail(refusal)
        } else if !isTaken {
            pendingCount.change(by: -count)
        } else if wakes {
            wake()
        }
    }

    private func cancel(_ request: RedisRequest) {
        guard let (id, continuation) = request.cancel() else { return }
        let wakes = inbox.withLock { inbox in
            inbox.cancelled.append(id)
            return inbox.schedule()
        }
        // After that: whoever uses this connection next must find the cancellation before his own request.
        continuation.resume(throwing: CancellationError())
        if wakes { wake() }
    }

    private func wake() {
        eventLoop.execute { self.emptyInbox() }
    }

    private func emptyInbox() {
        let driver = self.driver.value
        let (requests, cancelled) = inbox.withLock { inbox in
            inbox.isScheduled = false
            let (requests, cancelled) = (inbox.requests, inbox.cancelled)
            inbox.requests = []
            inbox.cancelled = []
            return (requests, cancelled)
        }
        driver.handle(requests: requests, cancelled: cancelled)
    }

    /// Connects now, and stays connected while there is nothing to do.
    func stayConnected() {
        eventLoop.execute { self.driver.value.stayConnected() }
    }

    /// From now on there is only a connection while somebody needs it.
    func release() {
        eventLoop.execute { self.driver.value.release() }
    }

    /// Ends for good; requests fail from now on.
    func close() {
        eventLoop.execute { self.driver.value.close() }
    }
}

extension RedisConnection {
    /// Ends for good and waits until the channel is closed.
    func closeGracefully() async {
        try? await eventLoop.flatSubmit { self.driver.value.close() }.get()
    }
}
