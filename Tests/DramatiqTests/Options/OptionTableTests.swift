import TestSupport
import Testing

@testable import Dramatiq

/// Every option, with every type of JSON, from messages and from actors, means what Python makes of it
/// (`Fixtures/options.json`).
@Suite struct OptionTableTests {
    private struct Failure: Error {}

    private struct Row {
        let option: String
        let source: String
        let value: JSONValue
        let outcome: JSONValue

        init(_ value: JSONValue) throws {
            let object = try #require(value.objectValue)
            option = try #require(object["option"]?.stringValue)
            source = try #require(object["from"]?.stringValue)
            self.value = try #require(object["value"])
            outcome = try #require(object["outcome"])
        }

        var isError: Bool { outcome == "error" }
        var comment: Comment { "\(option) from \(source): \(value.description.prefix(60))" }
    }

    /// The clock of the fixtures.
    private static let now = 1_795_434_026_514

    private func rows(_ options: String...) throws -> [Row] {
        let rows = try Fixtures.rows("options.json").map(Row.init).filter { options.contains($0.option) }
        #expect(rows.count >= 25 * options.count)
        return rows
    }

    /// A message with the row's option, or an actor with it, about to be processed.
    private func context(
        _ row: Row,
        _ middleware: any Middleware,
        message: MessageOptions = [:],
        actor: [ActorOption] = []
    ) async throws -> MessageContext {
        let broker = Broker(transport: InMemoryTransport(), middleware: [middleware])
        try await broker.declare(TaskActor("told") { (_: JSONValue, _: JSONValue) in })
        var options = message
        if row.source == "message" { options[row.option] = row.value }
        let task = TaskActor("task", options: actor + (row.source == "actor" ? [.custom(row.option, row.value)] : [])) {
        }
        let text = JSONValue.object(options.object).encoded()
        var sent = task.messageWithOptions(options: MessageOptions(try #require(JSONValue(parsing: text).objectValue)))
        sent.messageTimestamp = MessageTimestamp(milliseconds: SystemClock.milliseconds() - 1000)
        return MessageContext(broker: broker, message: sent, actor: task)
    }

    /// What a worker does with the context of a message, up to its settlement: an error if it is to be a dead letter
    /// for its options.
    private func attempt(
        _ context: MessageContext,
        _ middleware: any Middleware,
        error: (any Error)? = nil
    ) async throws -> MessageContext {
        var context = context
        for target in try context.broker.chain.optionScreen.targets(of: context.actor) {
            _ = try context.broker.queue(of: target.address)
        }
        if let refusal = context.broker.chain.optionScreen.refusal(context) { throw refusal }
        context.error = error
        try await (middleware as? any AfterProcessMessage)?.afterProcessMessage(&context)
        return context
    }

    private func expectReadable(_ row: Row, _ error: (any Error)?, unless expected: Bool) {
        #expect((error != nil) == expected, row.comment)
        guard let error = error as? OptionError else { return }
        #expect(error.option == row.option, row.comment)
        #expect("\(error)".contains(row.option) && "\(error)".contains(error.messageID), row.comment)
    }

    /// What a step throws.
    private func thrown(_ step: () async throws -> Void) async -> (any Error)? {
        do {
            try await step()
            return nil
        } catch {
            return error
        }
    }

    @Test func timeLimits() async throws {
        let middleware = TimeLimit(timeLimit: .seconds(600))
        for row in try rows("time_limit") {
            var context = try await context(row, middleware)
            let start = ContinuousClock.now
            let error = await thrown { try middleware.prepare(&context) }
            expectReadable(row, error, unless: row.isError)
            guard error == nil else { continue }
            guard let limit = row.outcome.doubleValue else {
                #expect(context.deadline == nil, row.comment)
                continue
            }
            let deadline = try #require(context.deadline, row.comment)
            let expected = Duration.clamping(milliseconds: limit)
            #expect(deadline >= start + expected && deadline <= ContinuousClock.now + expected, row.comment)
        }
    }

    @Test func ageLimits() async throws {
        let middleware = AgeLimit(maxAge: .milliseconds(500))
        for row in try rows("max_age") {
            var context = try await context(row, middleware)
            let error = await thrown { try middleware.prepare(&context) }
            let isSkipped = error is SkipMessage
            expectReadable(row, isSkipped ? nil : error, unless: row.isError)
            #expect(isSkipped == (row.outcome == "skipped"), row.comment)
            #expect(context.isFailed == isSkipped, row.comment)
        }
    }

    @Test func shutdownNotifications() async throws {
        let middleware = ShutdownNotifications(notifyShutdown: true)
        for row in try rows("notify_shutdown") {
            var context = try await context(row, middleware)
            try middleware.prepare(&context)
            #expect(.bool(context.isCancelledOnShutdown) == row.outcome, row.comment)
        }
    }

    @Test func retries() async throws {
        let middleware = Retries(maxRetries: 2, minBackoff: .seconds(1), maxBackoff: .seconds(100))
        for row in try rows("retries", "max_retries", "min_backoff", "max_backoff", "throws") {
            let isCount = row.option == "retries"
            let context = try await context(
                row, middleware, message: isCount ? [:] : ["retries": 1],
                actor: [.onRetryExhausted("told")] + (isCount ? [.maxRetries(4)] : []))
            var ended: MessageContext?
            let error = await thrown { ended = try await attempt(context, middleware, error: Failure()) }
            expectReadable(row, error, unless: row.isError)
            guard let ended, let outcome = row.outcome.objectValue else { continue }
            #expect(ended.message.options["retries"]?.doubleValue == outcome["retries"]?.doubleValue, row.comment)
            #expect(ended.message.options["traceback"] == "Failure: Failure()", row.comment)
            #expect(ended.message.options["requeue_timestamp"]?.intValue != nil, row.comment)
            let sent = try #require(ended.sends.first, row.comment)
            #expect(ended.sends.count == 1, row.comment)
            if let figures = outcome["exhausted"] {
                #expect(ended.isFailed, row.comment)
                #expect(sent.message.actorName == "told", row.comment)
                #expect(sent.message.args.elements == [ended.message.jsonValue, figures], row.comment)
            } else {
                let waits = try #require(outcome["waits"]?.arrayValue?.elements.map { $0.intValue ?? .max })
                let delay = sent.delay?.milliseconds ?? 0
                #expect(!ended.isFailed, row.comment)
                #expect(ended.isRetried, row.comment)
                // The draws in between can meet the maximum where neither of the two ends does.
                #expect(delay >= max(0, waits[0] / 2) && delay <= max(0, waits[0], waits[1]), row.comment)
            }
        }
    }

    @Test func callbacks() async throws {
        for row in try rows("on_success", "on_failure", "on_retry_exhausted") {
            let isExhausted = row.option == "on_retry_exhausted"
            let middleware: any Middleware = isExhausted ? Retries(maxRetries: 0) : Callbacks()
            var told: [String] = []
            let error = await thrown {
                let context = try await context(row, middleware)
                for error in isExhausted ? [Failure()] : [nil, Failure()] {
                    let ended = try await attempt(context, middleware, error: error)
                    told += ended.sends.map(\.message.actorName)
                }
            }
            // An object can be the address of an actor here, which it can't in Python; none of these is one.
            expectReadable(row, error, unless: row.isError)
            if error == nil { #expect(told.map { .string($0) } == row.outcome.arrayValue?.elements, row.comment) }
        }
    }

    @Test func pipelines() async throws {
        let middleware = Pipelines()
        for row in try rows("pipe_target", "pipe_ignore", "delay") {
            var options: MessageOptions = [:]
            if row.option != "pipe_target" {
                var target = Message(queueName: "default", actorName: "told", args: [1])
                if row.source == "target" { target.options[row.option] = row.value }
                options["pipe_target"] = target.jsonValue
            }
            var context = try await context(row, middleware, message: options)
            context.result = ActorResult(value: 7)
            var ended: MessageContext?
            let error = await thrown { ended = try await attempt(context, middleware) }
            #expect((error != nil) == row.isError, row.comment)
            if let error { #expect("\(error)".contains(context.message.messageID), row.comment) }
            guard let ended, let outcome = row.outcome.arrayValue?.elements else { continue }
            #expect(ended.sends.count == outcome.count, row.comment)
            for (sent, expected) in zip(ended.sends, outcome) {
                #expect(.array(sent.message.args) == expected.objectValue?["args"], row.comment)
                switch expected.objectValue?["due"] {
                case "now": #expect(sent.delay ?? .zero <= .zero, row.comment)
                case "never": #expect(try #require(sent.delay) > .seconds(1e14), row.comment)
                case let due: #expect(sent.delay?.milliseconds == due?.intValue.map { $0 - Self.now }, row.comment)
                }
            }
        }
    }

    @Test func etas() async throws {
        for row in try rows("eta") {
            let message = try await context(row, Pipelines()).message
            var eta: Int?
            let error = await thrown { eta = try message.eta() }
            // Python warns and runs the message at once, and so does a worker here.
            expectReadable(row, error, unless: row.outcome == "warning")
            guard error == nil else { continue }
            switch row.outcome {
            case "now": #expect(eta ?? 0 <= Self.now, row.comment)
            case "never": #expect(eta == .max, row.comment)
            default: #expect(eta == row.outcome.intValue, row.comment)
            }
        }
    }

    @Test func prioritiesAreIntegers() throws {
        func priority(_ value: JSONValue) throws -> Int {
            try Message(queueName: "q", actorName: "a", options: ["broker_priority": value]).brokerPriority()
        }
        #expect(try [nil, false, true, 0, 7, -3].map(priority) == [0, 0, 1, 0, 7, -3])
        let large = JSONValue.number(try JSONNumber("1000000000000000000000"))
        for value in [2.5, 2.0, .double(.nan), "3", [], [:], large] as [JSONValue] {
            #expect(throws: OptionError.self) { try priority(value) }
        }
    }
}
