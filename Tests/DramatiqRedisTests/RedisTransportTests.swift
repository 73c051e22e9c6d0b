import Dramatiq
import DramatiqRedis
import DramatiqWorkflow
import RedisTestSupport
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(10))) struct RedisTransportTests {
    @Test func messagesLieWherePythonLooksForThem() async throws {
        try await withRedisServer { server in
            let stage = try await RedisStage(server)
            let message = stage.task.message("a")
            try await stage.broker.enqueue(message)
            try await stage.broker.enqueue(message, delay: .seconds(5))
            #expect(
                try await stage.keys().filter { !$0.contains("__commits__") } == [
                    "dramatiq:default", "dramatiq:default.DQ", "dramatiq:default.DQ.msgs", "dramatiq:default.msgs",
                ])
            let id = try await stage.redis.execute(RedisCommand("LINDEX", "dramatiq:default", 0)).string()
            let bytes = try await stage.redis.execute(RedisCommand("HGET", "dramatiq:default.msgs", id)).bytes()
            #expect(
                String(decoding: bytes, as: UTF8.self)
                    == #"{"queue_name":"default","actor_name":"task","args":["a"],"kwargs":{},"options":{"#
                    + #""redis_message_id":"\#(id)"},"message_id":"\#(message.messageID)","#
                    + #""message_timestamp":\#(message.messageTimestamp.jsonValue)}"#)
            let delayedID = try await stage.redis.execute(RedisCommand("LINDEX", "dramatiq:default.DQ", 0)).string()
            #expect(delayedID != id)
            let delayed = try await stage.redis.execute(
                RedisCommand("HGET", "dramatiq:default.DQ.msgs", delayedID)
            ).string()
            #expect(delayed.contains(#""options":{"redis_message_id":"\#(delayedID)","eta":"#))
            // What the core must know of it by name: the id is not a copy's, and no queue may have the names of keys.
            #expect(try JSONMessageEncoder().decode(bytes).withFreshID().options == [:])
            for key in try await stage.keys() where key != "dramatiq:default" {
                #expect(QueueName.objection(to: String(key.dropFirst("dramatiq:".count))) != nil, "\(key)")
            }
        }
    }

    @Test func aWorkerProcessesWhatComesAndLeavesNothing() async throws {
        try await withRedisServer { server in
            let stage = try await RedisStage(server)
            try await withWorker(stage.worker) {
                for number in 0..<100 { try await stage.task.send("\(number)", to: stage.broker) }
                try await stage.broker.enqueue((100..<200).map { stage.task.message("\($0)") })
                for number in 200..<220 {
                    try await stage.task.send("\(number)", to: stage.broker, delay: .milliseconds(number - 190))
                }
                try await stage.transport.join()
            }
            #expect(stage.ran.values.sorted() == (0..<220).map { "\($0)" }.sorted())
            #expect(stage.log.complaints.map(\.message) == [])
            #expect(try await stage.keys().filter { !$0.contains("__commits__") } == [])
        }
    }

    @Test func workflowsRunToTheirEnd() async throws {
        try await withRedisServer { server in
            let stage = try await RedisStage(server)
            let task = stage.task
            try await Workflow(
                Chain(
                    task.message("1"),
                    Group(
                        Chain(task.message("2"), task.message("5")),
                        task.message("3"),
                        Chain(
                            task.message("4"),
                            Group(task.message("6"), WithDelay(.milliseconds(20)) { task.message("7") }))
                    ),
                    task.message("8")),
                broker: stage.broker
            ).run()
            try await stage.work()
            #expect(stage.ran.values.sorted() == (1...8).map { "\($0)" })
            #expect(stage.ran.values.first == "1")
            #expect(stage.ran.values.last == "8")
            #expect(stage.log.complaints.map(\.message) == [])
        }
    }
}
