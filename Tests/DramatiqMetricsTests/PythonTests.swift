import Dramatiq
import DramatiqMetrics
import Foundation
import TestSupport
import Testing

/// Names, labels and figures are those of dramatiq's own Prometheus middleware.
@Suite(.timeLimit(.minutes(10))) struct PythonTests {
    private struct Answer: Decodable {
        struct Definition: Decodable {
            let name: String
            let kind: String
            let labels: [String]
            let buckets: [Double]
        }

        let definitions: [Definition]
        let counts: [String: Int]
    }

    private static let answer = Result {
        let process = Process()
        process.executableURL = URL(filePath: try TestPython.path())
        process.arguments = [URL(filePath: #filePath).deletingLastPathComponent().path + "/Python/counts.py"]
        let output = Pipe()
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        try process.run()
        let data = try output.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        return try JSONDecoder().decode(Answer.self, from: data)
    }

    @Test func namesAndLabelsAreTheSame() throws {
        let theirs = try Self.answer.get().definitions
        #expect(Set(theirs.map(\.name)) == Set(MetricDefinition.dramatiq.map(\.name)))
        for theirs in theirs {
            let ours = try #require(MetricDefinition.dramatiq.first { $0.name == theirs.name })
            #expect("\(ours.kind)" == theirs.kind, "\(ours.name)")
            #expect(ours.labels == theirs.labels, "\(ours.name)")
            #expect(ours.buckets == theirs.buckets, "\(ours.name)")
        }
    }

    @Test func ourNamesAreNobodyElses() {
        let names = MetricDefinition.all.map(\.name)
        #expect(Set(names).count == names.count)
        #expect(
            MetricDefinition.own.allSatisfy {
                $0.name.hasPrefix("swift_dramatiq_") && $0.buckets == $0.buckets.sorted()
            })
    }

    /// The same messages through both workers.
    @Test func theSameThingsAreCounted() async throws {
        let theirs = try Self.answer.get().counts
        let stage = try Stage([Skipping()])
        let works = TaskActor("works") { (_: Int) in }
        let fails = TaskActor("fails", options: [.maxRetries(2)]) { throw Failure() }
        let skipped = TaskActor("skipped", queue: "other") {}
        let late = TaskActor("late", options: [.maxAge(.seconds(1))]) {}
        try await stage.broker.declare(works, fails, skipped, late)
        for number in 0..<3 { try await works.send(number, to: stage.broker) }
        try await works.send(3, to: stage.broker, delay: .milliseconds(1))
        try await fails.send(to: stage.broker)
        try await skipped.send(to: stage.broker)
        var old = late.message()
        old.messageTimestamp = MessageTimestamp(milliseconds: 1)
        try await stage.broker.enqueue(old)
        try await stage.work()
        let names = [
            "dramatiq_messages_total", "dramatiq_message_errors_total", "dramatiq_message_retries_total",
            "dramatiq_message_rejects_total",
        ]
        for name in names {
            for (queue, actor) in [
                ("default", "works"), ("default", "fails"), ("other", "skipped"), ("default", "late"),
            ] {
                #expect(
                    stage.figures.count(name, queue, actor) == theirs["\(name) \(queue) \(actor)"] ?? 0,
                    "\(name) \(queue) \(actor)")
            }
        }
        let durations = "dramatiq_message_duration_milliseconds"
        #expect(stage.figures.values(durations, "default", "fails").count == theirs["\(durations)_count default fails"])
    }
}
