import TestSupport
import Testing

@testable import Dramatiq

@Suite(.timeLimit(.minutes(10))) struct RetriesTests {
    private struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    private let transport = InMemoryTransport(fidelity: .bytes)
    private let log = RecordingLog()

    private func broker(_ retries: Retries) throws -> Broker {
        Broker(
            transport: transport,
            middleware: try Broker.defaultMiddleware.replacing(Retries.self, with: retries) + [CurrentMessage()],
            logger: log.logger)
    }

    /// Runs one message of an actor that always throws, and returns the options that it saw each time.
    private func attempts(
        _ retries: Retries,
        options: [ActorOption] = [],
        message: MessageOptions = [:],
        error: @escaping @Sendable (Int) -> any Error = { _ in Failure(description: "no") }
    ) async throws -> [MessageOptions] {
        let broker = try broker(retries)
        let seen = Recorder<MessageOptions>()
        let actor = TaskActor("fails", options: options) {
            throw error(seen.add(CurrentMessage.message?.options ?? [:]))
        }
        try await broker.declare(actor)
        try await withWorker(Worker(broker)) {
            try await broker.enqueue(actor.messageWithOptions(options: message))
            try await transport.join()
        }
        return seen.values
    }

    @Test func aMessageIsTriedAgainUpToItsLimitAndThenDeadLettered() async throws {
        let before = SystemClock.milliseconds()
        let attempts = try await attempts(
            Retries(maxRetries: 3, minBackoff: .milliseconds(10), maxBackoff: .milliseconds(20)),
            message: ["keep": "me"])
        #expect(attempts.map { $0["retries"]?.intValue } == [nil, 1, 2, 3])
        #expect(attempts.allSatisfy { $0["keep"] == "me" })
        #expect(attempts[1]["traceback"] == "Failure: no")
        #expect(try #require(attempts[1]["requeue_timestamp"]?.intValue) >= before)
        #expect(attempts.allSatisfy { $0["eta"] == nil })
        let letter = try #require(transport.deadLetters().first)
        #expect(letter.reason == "no (after 3 retries)")
        #expect(transport.deadLetters().count == 1)
    }

    @Test func theMessageKeepsItsIDOverRetries() async throws {
        let broker = try broker(Retries(maxRetries: 2, minBackoff: .milliseconds(1)))
        let ids = Recorder<String>()
        let actor = TaskActor("fails") {
            ids.add(CurrentMessage.message?.messageID ?? "-")
            throw Failure(description: "no")
        }
        try await broker.declare(actor)
        let message = actor.message()
        try await withWorker(Worker(broker)) {
            try await broker.enqueue(message)
            try await transport.join()
        }
        #expect(ids.values == Array(repeating: message.messageID, count: 3))
        #expect(try transport.deadLetters().first?.message().messageID == message.messageID)
    }

    @Test func theLimitCanComeFromTheActorOrTheMessage() async throws {
        let quick = Retries(maxRetries: 0, minBackoff: .milliseconds(1))
        #expect(try await attempts(quick).count == 1)
        #expect(try await attempts(quick, options: [.maxRetries(1)]).count == 2)
        #expect(try await attempts(quick, options: [.maxRetries(1)], message: ["max_retries": 2]).count == 3)
        // `null` lifts the limit, as in Python.
        let attempts = try await attempts(quick, options: [.throws(Expected.self)], message: ["max_retries": nil]) {
            $0 < 8 ? Failure(description: "no") as any Error : Expected()
        }
        #expect(attempts.count == 8)
    }

    private struct Expected: Error {}

    @Test func anExpectedErrorIsNotRetried() async throws {
        let attempts = try await attempts(
            Retries(minBackoff: .milliseconds(1)), options: [.throws(Expected.self), .throws(CancellationError.self)]
        ) { $0 < 3 ? Failure(description: "no") as any Error : Expected() }
        #expect(attempts.count == 3)
        #expect(transport.deadLetters().count == 1)
    }

    @Test func aPredicateOverrulesTheLimit() async throws {
        let attempts = try await attempts(
            Retries(maxRetries: 1, minBackoff: .milliseconds(1)),
            options: [.retryWhen { retries, error in error is Failure && retries < 4 }])
        #expect(attempts.count == 5)
        let broad = Retries(maxRetries: 9, minBackoff: .milliseconds(1), retryWhen: { _, _ in false })
        #expect(try await self.attempts(broad).count == 1)
    }

    @Test func retryChoosesItsDelay() async throws {
        let starts = Recorder<Int>()
        let attempts = try await attempts(Retries(maxRetries: 1, minBackoff: .seconds(3600))) { _ in
            starts.add(SystemClock.milliseconds())
            return Retry("later", delay: .milliseconds(50))
        }
        #expect(attempts.count == 2)
        // By the clock that says when a message is due.
        #expect(starts.values[1] - starts.values[0] >= 50)
        #expect(transport.deadLetters().first?.reason == "later (after 1 retry)")
    }

    @Test func anotherActorIsToldWhenRetriesAreExhausted() async throws {
        let broker = try broker(Retries(maxRetries: 2, minBackoff: .milliseconds(1)))
        let told = Recorder<(JSONValue, JSONValue)>()
        let actor = TaskActor("fails", options: [.onRetryExhausted("told")]) { throw Failure(description: "no") }
        let target = TaskActor("told") { (message: JSONValue, figures: JSONValue) in _ = told.add((message, figures)) }
        try await broker.declare(actor, target)
        try await withWorker(Worker(broker)) {
            try await actor.send(to: broker)
            try await transport.join()
        }
        let (message, figures) = try #require(told.values.first)
        #expect(told.count == 1)
        #expect(figures == ["retries": 2, "max_retries": 2])
        #expect(message.objectValue?["actor_name"] == "fails")
    }

    @Test func theBackoffDoublesWithJitterUpToItsMaximum() {
        func range(_ attempts: Int, _ factor: Int, _ maximum: Int) -> ClosedRange<Int> {
            let low = Backoff.milliseconds(attempts: attempts, factor: factor, maximum: maximum) { $0.lowerBound }
            let high = Backoff.milliseconds(attempts: attempts, factor: factor, maximum: maximum) { $0.upperBound }
            return low...high
        }
        #expect(range(0, 15_000, 604_800_000) == 15_000...30_000)
        #expect(range(3, 15_000, 604_800_000) == 120_000...240_000)
        #expect(range(20, 15_000, 604_800_000) == 302_400_000...604_800_000)
        #expect(range(1_000_000, 15_000, 604_800_000) == 302_400_000...604_800_000)
        #expect(range(0, 0, 0) == 0...0)
        #expect(range(-5, -1, -1) == 0...0)
        for extreme in [Duration.seconds(Int64.max), .seconds(Int64.min), .zero] {
            #expect(Backoff.duration(attempts: .max, factor: extreme, maxBackoff: .seconds(2)) <= .seconds(2))
            #expect(Backoff.duration(attempts: .min, factor: .seconds(1), maxBackoff: extreme) >= .zero)
        }
        for attempts in 0..<40 {
            let wait = Backoff.duration(attempts: attempts, factor: .milliseconds(10), maxBackoff: .seconds(1))
            #expect(wait >= min(.milliseconds(10 << min(attempts, 10)), .milliseconds(500)))
            #expect(wait <= .seconds(1))
        }
    }
}
