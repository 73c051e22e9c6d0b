import TestSupport
import Testing

@testable import Dramatiq

/// How loud the log is about a message that has failed for good.
@Suite(.timeLimit(.minutes(10))) struct FailureLogTests {
    private struct Expected: Error {}
    private struct Unexpected: Error {}

    private func levels(_ error: any Error, options: [ActorOption] = [.maxRetries(0)]) async throws -> [String] {
        let transport = InMemoryTransport()
        let log = RecordingLog()
        let broker = Broker(transport: transport, logger: log.logger)
        let task = TaskActor("task", options: options + [.throws(Expected.self)]) { throw error }
        try await broker.declare(task)
        try await withWorker(Worker(broker)) {
            try await task.send(to: broker)
            try await transport.join()
        }
        #expect(transport.deadLetters().count == 1)
        return log.entries.filter { $0.message == "Message failed" }.map { "\($0.level)" }
    }

    @Test func whatWasExpectedIsNoError() async throws {
        #expect(try await levels(Expected()) == ["info"])
        #expect(try await levels(Retry("later")) == ["warning"])
        #expect(try await levels(RateLimitExceeded(key: "k")) == ["warning"])
        #expect(try await levels(Unexpected()) == ["error"])
    }

    @Test func argumentsAndAgesAreWarnedOf() async throws {
        let transport = InMemoryTransport()
        let log = RecordingLog()
        let broker = Broker(transport: transport, logger: log.logger)
        let task = TaskActor("task", options: [.maxAge(.seconds(1))]) { (_: Int) in }
        try await broker.declare(task)
        var old = task.message(1)
        old.messageTimestamp = MessageTimestamp(milliseconds: 1)
        var odd = task.message(1)
        odd.args = ["x"]
        try await withWorker(Worker(broker)) {
            try await broker.enqueue([old, odd])
            try await transport.join()
        }
        #expect(transport.deadLetters().count == 2)
        #expect(log.complaints.map { "\($0.level)" } == ["warning", "warning"])
    }
}
