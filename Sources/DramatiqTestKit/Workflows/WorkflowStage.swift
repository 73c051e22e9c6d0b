import Dramatiq
import DramatiqWorkflow
import Logging

/// A broker with workflows over a subject's transport and store, and actors that record what ran.
struct WorkflowStage: Sendable {
    /// An actor that was to fail.
    struct Failure: Error {}

    let subject: any TransportSubject
    let transport: any Transport
    let broker: Broker
    let log: RunLog
    /// Whether the `fragile` actor works by now.
    let isMended = Flag()
    let task: TaskActor<String, Void>
    let fragile: TaskActor<String, Void>

    let queue = "promise"
    /// Another queue, for a worker of its own.
    let otherQueue = "promise.other"

    /// - Parameters:
    ///   - log: gets the tasks that ran. Defaults to one of its own.
    ///   - barrierTTL: how long barriers are kept. Defaults to the middleware's own.
    ///   - keepingResults: whether results are kept beside the transport where messages ask for that.
    init(
        _ subject: any TransportSubject,
        storage: any CallbackStorage = InlineCallbackStorage(),
        onFailure: WorkflowFailurePolicy = .halt,
        log: RunLog = RunLog(),
        barrierTTL: Duration = WorkflowMiddleware.defaultBarrierTTL,
        longestWait: Duration = WorkflowMiddleware.defaultLongestWait,
        tracking: RunTracking = .enabled,
        keepingResults: Bool = false,
        adding middleware: [any Middleware] = []
    ) async throws {
        self.subject = subject
        self.log = log
        transport = try await subject.makeTransport()
        let store = FaultyStateStore(try await subject.makeStore(beside: transport), faults: subject.faults)
        let workflows = WorkflowMiddleware(
            backend: store, callbackStorage: storage, onFailure: onFailure, barrierTTL: barrierTTL,
            longestWait: longestWait, tracking: tracking)
        let results =
            keepingResults ? [Results(backend: try await subject.makeResults(beside: transport))] : []
        broker = Broker(
            transport: transport, middleware: Broker.defaultMiddleware + results + [workflows] + middleware,
            // What goes wrong is wanted.
            logger: Logger(label: "promise") { _ in SwiftLogNoOpLogHandler() })
        let isMended = isMended
        task = TaskActor("task", queue: queue) { name in log.add(name) }
        fragile = TaskActor("fragile", queue: queue, options: [.maxRetries(0)]) { name in
            guard isMended.isSet else { throw Failure() }
            log.add(name)
        }
        try await broker.declare(task, fragile)
        try await broker.declare(queue: otherQueue)
    }

    /// A task's message in the other queue.
    func elsewhere(_ name: String) -> Message {
        Message(queueName: otherQueue, actorName: task.name, args: [.string(name)])
    }

    @discardableResult
    func start(_ components: any WorkflowComponent...) async throws -> WorkflowRun {
        try await Workflow(Chain(children: components.map(\.node)), broker: broker).run()
    }

    // MARK: Working

    /// Works while a body runs.
    func work(
        queues: Set<String>? = nil,
        concurrency: Int = 2,
        prefetch: Int? = nil,
        _ body: () async throws -> Void
    ) async throws {
        let worker = Worker(
            broker, concurrency: concurrency, queues: queues, prefetch: prefetch,
            transitionRetries: TransitionRetryPolicy(
                attempts: 4, minBackoff: .milliseconds(1), maxBackoff: .milliseconds(5)))
        try await worker.run(while: body)
    }

    /// Works on a queue until a task has run, and what was sent before that.
    func work(until name: String, queues: Set<String>? = nil) async throws {
        try await work(queues: queues) {
            try await expectRun(name)
            try await settle()
        }
    }

    func expectRun(
        _ name: String,
        times: Int = 1,
        file: String = #fileID,
        line: Int = #line
    ) async throws {
        let what = "task \(name) to run\(times == 1 ? "" : " \(times) times")"
        do {
            try await eventually(within: subject.patience, what) { log.count(name) >= times }
        } catch is Deviation {
            throw Deviation(
                expected: what, seen: "in \(subject.patience) only \(log.names)", file: file, line: line)
        }
    }

    /// Gives what was sent to the queue the time to run.
    func settle() async throws {
        // Behind what is there now, and behind what that sends.
        for _ in 0..<3 {
            let name = "settled \(UniqueID.make())"
            // It may be the one that fails.
            try await repeating(within: subject.patience) { try await task.send(name, to: broker) }
            try await expectRun(name)
        }
    }

    /// The tasks that ran and belong to a workflow.
    var ran: [String] { log.names.filter { !$0.hasPrefix("settled ") } }

    private func operations() throws -> any QueueOperations {
        try unwrap(transport.operations, "operations, as is claimed")
    }

    func deadLetters() async throws -> [DeadLetter] {
        try await operations().deadLetters(queue: queue, offset: 0, limit: 100)
    }

    func requeue(_ letter: DeadLetter) async throws {
        try await operations().requeueDeadLetter(letter.id, queue: queue, encoder: broker.encoder)
    }

    /// Works until there are so many dead letters.
    ///
    /// - Returns: them.
    func workUntilDead(_ count: Int, queues: Set<String>? = nil) async throws -> [DeadLetter] {
        try await work(queues: queues) {
            try await eventually(within: subject.patience, "\(count) dead letters") {
                try await deadLetters().count >= count
            }
            try await settle()
        }
        return try await deadLetters()
    }
}
