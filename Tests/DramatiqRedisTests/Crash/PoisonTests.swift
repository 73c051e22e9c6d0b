import Dramatiq
import DramatiqRedis
import RedisTestSupport
import TestSupport
import Testing

/// Messages that take their workers with them, beside messages that don't.
@Suite(.timeLimit(.minutes(10))) struct PoisonTests {
    private static let poison = 1_000_000

    /// Starts workers one after the other until nothing is left, with new tasks each time.
    ///
    /// - Returns: how many of them died, and how many tasks there were.
    private func work(_ fleet: WorkflowFleet, dyingOf lethal: String? = nil) async throws -> (dead: Int, tasks: Int) {
        var (dead, tasks) = (0, 0)
        func addTasks() async throws {
            try await fleet.sendTasks(tasks..<tasks + 10, milliseconds: 5)
            tasks += 10
        }
        try await addTasks()
        var worker = try fleet.startWorker(concurrency: 2, dyingOf: lethal)
        try await eventually {
            if !worker.isRunning {
                dead += 1
                try await addTasks()
                worker = try fleet.startWorker(concurrency: 2, dyingOf: lethal)
            }
            return try await fleet.transport.unfinishedCount() == 0
        }
        worker.kill()
        return (dead, tasks)
    }

    private func expectAllDone(_ fleet: WorkflowFleet, tasks: Int) async throws {
        let lives = try await fleet.lives()
        #expect((0..<tasks).filter { (lives[$0]?.ends ?? 0) == 0 } == [])
    }

    @Test func aMessageThatKillsItsWorkersBecomesADeadLetter() async throws {
        try await withRedisServer { server in
            let fleet = try WorkflowFleet(server, namespace: "dramatiq", heartbeat: .milliseconds(300))
            try await fleet.sendTasks(Self.poison..<Self.poison + 1, failures: -1, milliseconds: 0)
            let (dead, tasks) = try await work(fleet)
            // Of the first it can't be known what it died of.
            #expect(dead == 6)
            try await expectAllDone(fleet, tasks: tasks)
            let letters = try await fleet.transport.deadLetters()
            #expect(try letters.map { try $0.message().args.elements[1] } == [.integer(Self.poison)])
            #expect(letters[0].reason.contains("5 workers were lost"), "\(letters[0].reason)")
            #expect(try await fleet.lives()[Self.poison]?.starts == 6)

            // Requeued it begins anew.
            try await fleet.transport.requeueDeadLetter(letters[0].id)
            let consumer = try await fleet.transport.consumer(of: "default", prefetch: 1)
            let delivery = try #require(try await consumer.next(limit: 1).first)
            #expect((delivery.isRedelivered, delivery.crashes) == (false, 0))
            await consumer.close()
        }
    }

    /// Delayed messages are read before they are due, many at a time.
    @Test func aDelayedMessageThatKillsWhoReadsItBecomesADeadLetter() async throws {
        try await withRedisServer { server in
            let fleet = try WorkflowFleet(server, namespace: "dramatiq", heartbeat: .milliseconds(300))
            func delayed(_ arguments: JSONArray, by delay: Duration) async throws {
                let message = Message(queueName: "default", actorName: "task", args: arguments)
                try await fleet.broker.enqueue([message], delay: delay)
            }
            for task in 1000..<1020 { try await delayed([-1, .integer(task), 0, 1], by: .seconds(2)) }
            try await delayed(["deadly"], by: .seconds(1))
            let (dead, tasks) = try await work(fleet, dyingOf: "deadly")
            #expect(dead == 7)
            try await expectAllDone(fleet, tasks: tasks)
            let lives = try await fleet.lives()
            #expect((1000..<1020).filter { (lives[$0]?.ends ?? 0) == 0 } == [])
            let letters = try await fleet.transport.deadLetters()
            #expect(try letters.map { try $0.message().args } == [["deadly"]])
            #expect(letters[0].reason.contains("6 workers were lost"), "\(letters[0].reason)")
            let keys = try await fleet.redis.execute(RedisCommand("KEYS", "*redelivered*")).array()
            #expect(try keys.map { try $0.string() } == [])
        }
    }

    @Test func aMessageThatKillsWhoReadsItBecomesADeadLetter() async throws {
        try await withRedisServer { server in
            let fleet = try WorkflowFleet(server, namespace: "dramatiq", heartbeat: .milliseconds(300))
            try await fleet.broker.enqueue(Message(queueName: "default", actorName: "task", args: ["deadly"]))
            let (dead, tasks) = try await work(fleet, dyingOf: "deadly")
            // It is read once more for what follows from its failure.
            #expect(dead == 7)
            try await expectAllDone(fleet, tasks: tasks)
            let letters = try await fleet.transport.deadLetters()
            #expect(try letters.map { try $0.message().args } == [["deadly"]])
            #expect(letters[0].reason.contains("6 workers were lost"), "\(letters[0].reason)")
        }
    }
}
