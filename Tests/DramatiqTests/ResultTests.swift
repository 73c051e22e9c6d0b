import DramatiqTestKit
import Synchronization
import TestSupport
import Testing

@testable import Dramatiq

@Suite(.timeLimit(.minutes(10))) struct ResultTests {
    private struct Failure: Error, CustomStringConvertible {
        let description = "It \u{1B}[2J broke"
    }

    private struct Point: Codable, Equatable, Sendable {
        var x: Int
        var y: Double?
    }

    private let transport = InMemoryTransport(fidelity: .bytes)
    private let log = RecordingLog()
    private let backend = InMemoryResultBackend()

    private func broker(_ results: Results? = nil) -> Broker {
        Broker(
            transport: transport, middleware: Broker.defaultMiddleware + [results ?? Results(backend: backend)],
            logger: log.logger)
    }

    private func work(_ broker: Broker, _ body: () async throws -> Void) async throws {
        let worker = Worker(
            broker, concurrency: 4,
            transitionRetries: TransitionRetryPolicy(
                attempts: 3, minBackoff: .milliseconds(1), maxBackoff: .milliseconds(2)))
        try await withWorker(worker) { try await body() }
    }

    private func error(_ message: Message, _ broker: Broker, timeout: Duration = .zero) async -> ResultError? {
        await #expect(throws: ResultError.self) {
            try await message.result(JSONValue.self, from: broker, timeout: timeout)
        }
    }

    @Test(arguments: ResultPromises.all.claimed(by: InMemoryResultSubject.resultClaims))
    func keepsThePromises(promise: Promise<any ResultSubject>) async throws {
        try await promise.check(InMemoryResultSubject())
    }

    @Test func allIsClaimed() {
        #expect(ResultPromises.all.notClaimed(by: InMemoryResultSubject.resultClaims).isEmpty)
    }

    @Test func valuesComeBackAsTheyWereReturned() async throws {
        let broker = broker()
        let options: [ActorOption] = [.storeResults(true)]
        let add = TaskActor("add", options: options) { (a: Int, b: Int) in a + b }
        let point = TaskActor("point", options: options) { (x: Int) in Point(x: x, y: x == 0 ? nil : 0.5) }
        let texts = TaskActor("texts", options: options) { (text: String) in [text, text + "\u{301}"] }
        let nothing = TaskActor("nothing", options: options) {}
        let any = TaskActor("any", options: options) { (value: JSONValue) in value }
        try await broker.declare(add, point, texts, nothing, any)
        try await work(broker) {
            let sum: Int = try await add.send(1, 2, to: broker).result(from: broker, timeout: .patience)
            #expect(sum == 3)
            for x in 0..<2 {
                let message = try await point.send(x, to: broker)
                let found = try await message.result(Point.self, from: broker, timeout: .patience)
                #expect(found == Point(x: x, y: x == 0 ? nil : 0.5))
                let value = try await message.result(JSONValue.self, from: broker)
                #expect(value.objectValue?["x"] == .integer(x))
            }
            let both = try await texts.send("é\u{0}", to: broker).result(
                [String].self, from: broker, timeout: .patience)
            #expect(both.map { Array($0.utf8) } == ["é\u{0}", "é\u{0}\u{301}"].map { Array($0.utf8) })
            let none = try await nothing.send(to: broker)
            #expect(try await none.result(JSONValue.self, from: broker, timeout: .patience).isNull)
            #expect(try await none.result(Int?.self, from: broker) == nil)
            for value in [nil, true, 1.5, [], [:], ["__t": "other"], "dramatiq.results.Result"] as [JSONValue] {
                let message = try await any.send(value, to: broker)
                #expect(try await message.result(JSONValue.self, from: broker, timeout: .patience) == value)
            }
            let wrong = try await any.send("a", to: broker)
            await #expect(throws: DecodingError.self) {
                try await wrong.result(Int.self, from: broker, timeout: .patience)
            }
        }
    }

    @Test func aFailureIsThrownOnceNoRetryIsLeft() async throws {
        let broker = broker()
        let runs = Recorder<Int>()
        let fails = TaskActor(
            "fails", options: [.storeResults(true), .maxRetries(2), .minBackoff(.milliseconds(1))]
        ) { (number: Int) in
            _ = runs.add(number)
            throw Failure()
        }
        let mended = TaskActor(
            "mended", options: [.storeResults(true), .maxRetries(2), .minBackoff(.milliseconds(1))]
        ) { (number: Int) in
            if number == 0 { throw Failure() }
            return number
        }
        let old = TaskActor("old", options: [.storeResults(true), .maxAge(.milliseconds(1))]) {}
        try await broker.declare(fails, mended, old)
        let message = fails.message(1)
        try await broker.enqueue(message)
        let late = old.message()
        try await Task.sleep(for: .milliseconds(5))
        try await broker.enqueue(late)
        #expect(await error(message, broker)?.code == .missing)
        try await work(broker) {
            let error = await error(message, broker, timeout: .patience)
            #expect(error?.code == .failed && error?.errorType == "Failure")
            #expect(error?.reason.contains("broke") == true)
            #expect(error.map { !"\($0)".contains("\u{1B}") } == true)
            #expect(runs.count == 3)
            let tooOld = await self.error(late, broker, timeout: .patience)
            #expect(tooOld?.code == .failed && tooOld?.reason.contains("its limit is 1 ms") == true)
            let good = try await mended.send(7, to: broker).result(Int.self, from: broker, timeout: .patience)
            #expect(good == 7)
        }
        // What was mended and requeued has a result in the place of its failure.
        let letter = try #require(transport.deadLetters().first { $0.reason.contains("broke") })
        #expect(try letter.message().messageID == message.messageID)
    }

    @Test func aRequeuedMessageHasTheResultOfItsLastRun() async throws {
        let broker = broker()
        let isMended = Mutex(false)
        let task = TaskActor("task", options: [.storeResults(true), .maxRetries(0)]) {
            if !isMended.withLock(\.self) { throw Failure() }
            return "done"
        }
        try await broker.declare(task)
        let message = try await task.send(to: broker)
        try await work(broker) {
            #expect(await error(message, broker, timeout: .patience)?.code == .failed)
            isMended.withLock { $0 = true }
            try await eventually { !self.transport.deadLetters().isEmpty }
            _ = try await broker.operations.requeueDeadLetters(queue: "default", encoder: broker.encoder)
            try await eventually {
                (try? await message.result(String.self, from: broker, timeout: .zero)) == "done"
            }
        }
    }

    /// The message's option comes before its actor's, and that before the middleware's.
    @Test func whoSaysSoHasResultsKept() async throws {
        for isDefault in [false, true] {
            let broker = broker(Results(backend: InMemoryResultBackend(), storesResults: isDefault))
            let silent = TaskActor("silent") { 1 }
            let stores = TaskActor("stores", options: [.storeResults(true)]) { 1 }
            let drops = TaskActor("drops", options: [.storeResults(false)]) { 1 }
            try await broker.declare(silent, stores, drops)
            var messages: [(Message, Bool)] = []
            for (actor, isKept) in [(silent, isDefault), (stores, true), (drops, false)] {
                messages.append((actor.message(), isKept))
                for (value, isKept) in [(true, true), (1, true), (false, false), (0, false), (nil, false)]
                    as [(JSONValue, Bool)]
                {
                    messages.append((actor.messageWithOptions(options: ["store_results": value]), isKept))
                }
            }
            try await broker.enqueue(messages.map(\.0))
            try await work(broker) { try await transport.join() }
            for (message, isKept) in messages {
                let found = try? await message.result(Int.self, from: broker, timeout: .zero)
                #expect(found == (isKept ? 1 : nil), "\(message.actorName) \(message.options)")
            }
        }
    }

    @Test func aResultIsKeptForItsTime() async throws {
        let clock = TestClock()
        let broker = broker(
            Results(backend: InMemoryResultBackend(now: { clock.instant }), storesResults: true, ttl: .seconds(100)))
        let task = TaskActor("task") { 1 }
        let short = TaskActor("short", options: [.resultTTL(.seconds(10))]) { 1 }
        try await broker.declare(task, short)
        let messages = [
            short.message(), task.message(), short.messageWithOptions(options: ["result_ttl": 1_000_000.5]),
        ]
        let wrong = task.messageWithOptions(options: ["result_ttl": "soon"])
        try await broker.enqueue(messages + [wrong])
        try await work(broker) { try await transport.join() }
        for (index, time) in [9, 2, 90].enumerated() {
            clock.advance(by: .seconds(time))
            for (number, message) in messages.enumerated() {
                let found = try? await message.result(Int.self, from: broker, timeout: .zero)
                #expect((found == 1) == (number >= index), "\(index) \(number)")
            }
        }
        let letter = try #require(transport.deadLetters().first)
        #expect(try letter.message().messageID == wrong.messageID)
        #expect(letter.reason.contains("result_ttl"))
    }

    /// A message whose result can't be kept is not acknowledged, and becomes a dead letter at last.
    @Test func whatCannotBeKeptIsNotLost() async throws {
        final class Refusing: ResultBackend {
            struct Refusal: Error {}
            let left: Mutex<Int>
            let wrapped = InMemoryResultBackend()
            init(_ count: Int) { left = Mutex(count) }

            func store(_ result: [UInt8], for key: ResultKey, ttl: Duration) async throws {
                let isRefused = left.withLock { left in
                    left -= 1
                    return left >= 0
                }
                if isRefused { throw Refusal() }
                try await wrapped.store(result, for: key, ttl: ttl)
            }

            func result(for key: ResultKey, timeout: Duration) async throws -> [UInt8]? {
                try await wrapped.result(for: key, timeout: timeout)
            }
        }
        struct Opaque: Sendable {}
        let runs = Recorder<Int>()
        for count in [2, 1000] {
            let broker = broker(Results(backend: Refusing(count), storesResults: true, maxSize: 100))
            let task = TaskActor("task") { (number: Int) in
                _ = runs.add(number)
                return number
            }
            let opaque = TaskActor("opaque") { Opaque() }
            let large = TaskActor("large") { String(repeating: "x", count: 100) }
            try await broker.declare(task, opaque, large)
            let message = try await task.send(count, to: broker)
            let others = [opaque.message(), large.message()]
            if count == 1000 { try await broker.enqueue(others) }
            try await work(broker) { try await transport.join() }
            let found = try? await message.result(Int.self, from: broker, timeout: .zero)
            #expect(found == (count == 2 ? 2 : nil))
        }
        #expect(runs.values == [2, 1000])
        let reasons = transport.deadLetters().map(\.reason)
        #expect(reasons.count == 3)
        for part in ["Refusal", "not Encodable", "more than 100"] {
            #expect(reasons.contains { $0.contains(part) }, "\(reasons)")
        }
    }

    @Test func withoutTheMiddlewareThereIsAnError() async throws {
        let broker = Broker(transport: transport, logger: log.logger)
        #expect(await error(Message(queueName: "a", actorName: "b", args: []), broker)?.code == .middlewareMissing)
    }

    /// Whatever lies there: an error that says what is wrong.
    @Test(arguments: ["", "{", "[1", "nul", "\u{1}", String(repeating: "[", count: 100_000)])
    func whatIsNoResultIsAnError(text: String) async throws {
        let broker = broker()
        let message = Message(queueName: "a", actorName: "b", args: [])
        try await backend.store(Array(text.utf8), for: ResultKey(message), ttl: .seconds(100))
        #expect(await error(message, broker)?.code == .unreadable)
    }

    /// What looks like a failure is one, and whatever it lacks is empty.
    @Test(arguments: ["{}", "null", "[]", #"{"type": 1, "msg": null}"#]) func aFailureMayLackWhatItSays(text: String)
        async throws
    {
        let broker = broker()
        let message = Message(queueName: "a", actorName: "b", args: [])
        let result = #"{"__t": "dramatiq.results.Result", "exn": \#(text)}"#
        try await backend.store(Array(result.utf8), for: ResultKey(message), ttl: .seconds(100))
        let error = await error(message, broker)
        #expect(error?.code == .failed && error?.errorType == "" && error?.reason == "")
    }
}
