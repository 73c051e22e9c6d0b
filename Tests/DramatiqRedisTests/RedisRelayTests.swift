import Dramatiq
import DramatiqWorkflow
import RedisTestSupport
import Synchronization
import TestSupport
import Testing

@testable import DramatiqRedis

/// A settlement that brings the next message along: who gets it, in which order, and what is known about it.
@Suite(.timeLimit(.minutes(10))) struct RedisRelayTests {
    /// A message that is taken, the consumer that took it, and the next one to be sent.
    private struct Setting {
        let stage: RedisStage
        let delivery: Delivery
        let consumer: any TransportConsumer
        let successor: Envelope

        init(_ server: RedisServer, wrapping: (RedisClient) -> any RedisExecutor = { $0 }) async throws {
            stage = try await RedisStage(server, wrapping: wrapping)
            try await stage.task.send("first", to: stage.broker)
            consumer = try await stage.transport.consumer(of: "default", prefetch: 10)
            delivery = try await consumer.next(limit: 1)[0]
            successor = try await stage.broker.envelope(stage.task.message("second"), delay: nil)
        }

        /// Acknowledges the message and sends the next one, to the consumer if that is possible.
        func commit(_ successors: Envelopes? = nil) -> Commit {
            var commit = Commit(end: Commit.End(delivery, .acknowledge), successors: successors ?? [successor])
            commit.relay = consumer
            return commit
        }

        /// How many messages wait in the queue, and how many are taken.
        func counts() async throws -> [Int] {
            let status = try await stage.transport.status(queue: "default")
            return [status.waiting, status.inFlight]
        }

        func name(_ delivery: Delivery) throws -> String? {
            try delivery.message(decoder: JSONMessageEncoder()).args.elements[0].stringValue
        }
    }

    @Test func theNextMessageComesAlongAsIfItHadBeenTaken() async throws {
        try await withRedisServer { server in
            let setting = try await Setting(server)
            let result = try await setting.stage.transport.commit(setting.commit())
            #expect(result.status == .committed)
            let delivery = try #require(result.relayed)
            #expect(try await setting.counts() == [0, 1])
            // What its owner sees is what anybody else would see.
            let key = try #require(try await setting.stage.keys().first { $0.contains("__acks__") })
            let id = try await setting.stage.redis.execute(RedisCommand("SRANDMEMBER", key)).string()
            let bytes = try await setting.stage.redis.execute(RedisCommand("HGET", "dramatiq:default.msgs", id)).bytes()
            let message = try delivery.message(decoder: JSONMessageEncoder())
            #expect(try JSONMessageEncoder().decode(bytes) == message)
            #expect(message.options["redis_message_id"] == .string(id))
            #expect(try await setting.stage.transport.workers().count == 1)
            // It can be given back, and comes again.
            try await setting.stage.transport.end(delivery, .requeue)
            #expect(try await setting.counts() == [1, 0])
            let again = try await setting.consumer.next(limit: 1)
            #expect(try setting.name(again[0]) == "second")
            try await setting.stage.transport.end(again[0])
            #expect(try await setting.counts() == [0, 0])
            await setting.consumer.close()
        }
    }

    @Test func ofManySuccessorsOneComesAlong() async throws {
        try await withRedisServer { server in
            let setting = try await Setting(server)
            var successors: [Envelope] = []
            for name in ["a", "b", "c"] {
                successors.append(try await setting.stage.broker.envelope(setting.stage.task.message(name), delay: nil))
            }
            let relayed = try await setting.stage.transport.commit(setting.commit(Envelopes(successors))).relayed
            #expect(try setting.name(try #require(relayed)) == "a")
            #expect(try await setting.counts() == [2, 1])
            #expect(try await setting.consumer.next(limit: 10).map(setting.name) == ["b", "c"])
            await setting.consumer.close()
        }
    }

    /// What is on its way to a worker is not taken for lost.
    @Test func aMessageUnderWayIsNobodysStray() async throws {
        try await withRedisServer { server in
            let setting = try await Setting(server, wrapping: HeldExecutor.init)
            let held = try #require(setting.stage.executor as? HeldExecutor)
            let source = try #require((setting.consumer as? RedisConsumer)?.source)
            held.hold()
            async let settled = setting.stage.transport.commit(setting.commit())
            try await eventually { held.heldCount == 1 }
            // The server counts what this process doesn't expect, so the consumer looks for more.
            source.compare(count: 7)
            #expect(try await source.take(limit: 10).isEmpty)
            held.letGo()
            let relayed = try #require(try await settled.relayed)
            source.compare(count: 7)
            #expect(try await source.take(limit: 10).isEmpty)
            #expect(try setting.name(relayed) == "second")
            await setting.consumer.close()
        }
    }

    @Test func aConsumerThatIsClosedGetsNothing() async throws {
        try await withRedisServer { server in
            let setting = try await Setting(server)
            let other = try await setting.stage.transport.consumer(of: "default", prefetch: 1)
            await other.close()
            var commit = setting.commit()
            commit.relay = other
            let result = try await setting.stage.transport.commit(commit)
            #expect(result.status == .committed)
            #expect(result.relayed == nil)
            #expect(try await setting.counts() == [1, 0])
            await setting.consumer.close()
        }
    }

    /// A worker with nothing else to do goes on with a chain without asking the server for its next message.
    @Test func aChainIsNotFetchedStepByStep() async throws {
        try await withRedisServer { server in
            let fetches = Mutex(0)
            let stage = try await RedisStage(server, wrapping: FaultyExecutor.init)
            let faulty = try #require(stage.executor as? FaultyExecutor)
            faulty.set { command in
                if command.script === QueueScripts.fetch { fetches.withLock { $0 += 1 } }
                return nil
            }
            let names = (0..<200).map(String.init)
            try await stage.run(Chain(children: names.map { .message(stage.task.message($0)) }))
            #expect(stage.ran.values == names)
            // It looks now and then whether others wait.
            #expect(fetches.withLock { $0 } < names.count / 2)
        }
    }

    /// Going on with a chain must not hold up what waits.
    @Test func otherMessagesAreNotStarvedByAChain() async throws {
        try await withRedisServer { server in
            let stage = try await RedisStage(server)
            let worker = Worker(stage.broker, concurrency: 1, prefetch: 1)
            try await Workflow(
                Chain(children: (0..<50).map { .message(stage.task.message("chain \($0)")) }), broker: stage.broker
            ).run()
            try await stage.task.send("other", to: stage.broker)
            try await withWorker(worker) { try await stage.transport.join() }
            #expect(stage.ran.count == 51)
            let place = try #require(stage.ran.values.firstIndex(of: "other"))
            #expect(place < 3)
        }
    }
}
