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
        /// How many commands the event loop had in hand when it looked last, and how many came since.
        var commandCount = 0

        /// Returns whether the event loop has to be woken.
        mutating func schedule() -> Bool {
            defer { isScheduled = true }
            return !isScheduled
        }
    }

    let eventLoop: any EventLoop
    private let maximumPendingCommands: Int
    private let inbox = Mutex(Inbox())
    private let driver: NIOLoopBoundBox<ConnectionDriver>

    init(connector: ChannelConnector, isBlocking: Bool, eventLoop: any EventLoop, logger: Logger) {
        self.eventLoop = eventLoop
        maximumPendingCommands = connector.configuration.maximumPendingCommands
        driver = .makeBoxSendingValue(
            ConnectionDriver(connector: connector, isBlocking: isBlocking, eventLoop: eventLoop, logger: logger),
            eventLoop: eventLoop)
    }

    /// Runs commands.
    ///
    /// - Throws: `CancellationError`; what else goes wrong is in the results.
    func run(_ request: RedisRequest) async throws -> RedisRequest.Results {
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { submit(request, $0) }
        } onCancel: {
            cancel(request)
        }
    }

    private func submit(_ request: RedisRequest, _ continuation: CheckedContinuation<RedisRequest.Results, any Error>) {
        let count = request.commands.count
        enum Step {
            case nothing, wake, refuse
        }
        let step: Step = inbox.withLock { inbox in
            let id = inbox.nextID
            guard request.submit(id: id, continuation) else { return .nothing }
            guard inbox.commandCount == 0 || inbox.commandCount + count <= maximumPendingCommands else {
                return .refuse
            }
            inbox.nextID += 1
            inbox.commandCount += count
            inbox.requests.append(
                PendingRequest(id: id, request: request, commandCount: count, deadline: request.deadline))
            return inbox.schedule() ? .wake : .nothing
        }
        switch step {
        case .nothing: break
        case .wake: wake()
        case .refuse:
            let error = RedisError(
                .queueFull, "More than \(maximumPendingCommands) commands would wait for the server")
            request.finish(Array(repeating: .failure(error), count: count))
        }
    }

    private func cancel(_ request: RedisRequest) {
        guard let id = request.cancel() else { return }
        let wakes = inbox.withLock { inbox in
            inbox.cancelled.append(id)
            return inbox.schedule()
        }
        if wakes { wake() }
    }

    private func wake() {
        eventLoop.execute { self.emptyInbox() }
    }

    private func emptyInbox() {
        let driver = self.driver.value
        let commandCount = driver.commandCount
        let (requests, cancelled) = inbox.withLock { inbox in
            inbox.isScheduled = false
            let (requests, cancelled) = (inbox.requests, inbox.cancelled)
            inbox.requests = []
            inbox.cancelled = []
            inbox.commandCount = commandCount + requests.reduce(0) { $0 + $1.commandCount }
            return (requests, cancelled)
        }
        driver.handle(requests, cancelled: cancelled)
    }

    /// Connects now, and stays connected while there is nothing to do.
    func stayConnected() {
        eventLoop.execute { self.driver.value.stayConnected() }
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
