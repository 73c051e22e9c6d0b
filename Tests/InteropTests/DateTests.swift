import Dramatiq
import Foundation
import RedisTestSupport
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(10))) struct DateTests {
    @Test(arguments: TestSeed.first(1))
    func pythonReadsAndWritesDatesToTheMicrosecond(seed: TestSeed) async throws {
        var random = seed.generator
        let dates =
            (0..<1000).map { _ in
                Date(timeIntervalSince1970: .random(in: -60_000_000_000...250_000_000_000, using: &random))
            } + (0..<1000).map { _ in Date(timeIntervalSince1970: .random(in: 0...4_000_000_000, using: &random)) }
        let task = TaskActor("task") { (_: Date) in }
        let sent = try dates.map { try #require(task.message($0).args.elements.first?.stringValue) }
        let lines = try await PythonPeer.run(["dates"], input: sent.map { Array($0.utf8) })
        #expect(lines.map { String(decoding: $0, as: UTF8.self) } == sent)
        let received = Recorder<Date>()
        let receiver = TaskActor("receiver") { (date: Date) in _ = received.add(date) }
        for line in lines {
            let text = JSONValue.string(String(decoding: line, as: UTF8.self))
            _ = try await receiver.perform(Message(queueName: "default", actorName: "receiver", args: [text]))
        }
        for (date, read) in zip(dates, received.values) {
            // Far from now a date of Foundation is less exact than a microsecond.
            let exactness = 0.000_000_5 + date.timeIntervalSinceReferenceDate.ulp * 2
            #expect(abs(read.timeIntervalSince(date)) <= exactness)
        }
        #expect(received.count == dates.count)
    }
}
