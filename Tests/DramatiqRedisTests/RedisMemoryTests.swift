import Dramatiq
import DramatiqRedis
import DramatiqZlib
import RedisTestSupport
import TestSupport
import Testing

#if os(Linux)
    /// Messages that become a thousand times as large when they are read, between others, and the most memory that a worker
    /// ever has.
    @Suite(.timeLimit(.minutes(10))) struct RedisMemoryTests {
        /// What becomes a message that is much larger.
        enum Bomb: String, CaseIterable, Sendable {
            /// An argument of many small numbers: a quarter of a megabyte of text that becomes a lot more.
            case numbers
            /// Many options.
            case options
            /// An argument that is no array, of four megabytes.
            case text

            /// The message as zlib has it.
            var bytes: [UInt8] {
                get throws {
                    switch self {
                    case .numbers: return try RedisMemoryTests.message(args: Self.numbers(1 << 18))
                    case .options:
                        return try RedisMemoryTests.message(
                            options: (0..<10_000).lazy.map { "\"\(1_000_000 + $0)\":{}" }.joined(separator: ","))
                    case .text:
                        return try RedisMemoryTests.message(args: "\"" + String(repeating: "a", count: 4 << 20) + "\"")
                    }
                }
            }

            static func numbers(_ size: Int) -> String { "[" + String(repeating: "1,", count: size / 2) + "1]" }
        }

        private static func message(args: String = "[]", options: String = "") throws -> [UInt8] {
            let json =
                #"{"queue_name":"default","actor_name":"numbers","args":[\#(args)],"kwargs":{},"options":{\#(options)},"#
                + #""message_id":"bomb","message_timestamp":1795434026512}"#
            return try ZlibCompressor().compress(Array(json.utf8))
        }

        /// Puts a number of messages into the queue, with as many others between them.
        private func send(_ count: Int, _ bomb: [UInt8], to fleet: WorkflowFleet) async throws {
            for number in 0..<count {
                var hash = RedisCommand("HSET", "\(fleet.namespace):default.msgs")
                hash.append("bomb-\(number)")
                hash.append(bomb)
                _ = try await fleet.redis.execute(hash)
                _ = try await fleet.redis.execute(
                    RedisCommand("RPUSH", "\(fleet.namespace):default", "bomb-\(number)"))
                try await fleet.sendTasks(number..<number + 1, milliseconds: 0)
            }
        }

        /// Has a worker process them.
        ///
        /// - Returns: the most memory that it had, in bytes.
        private func work(_ fleet: WorkflowFleet, _ options: [String]) async throws -> Int {
            let worker = try fleet.startWorker(
                concurrency: 8, options: ["encoder=zlib", "numbers=default"] + options)
            try await eventually {
                try #require(worker.isRunning)
                return try await fleet.transport.unfinishedCount() == 0
            }
            return try #require(worker.peakMemory)
        }

        private func expectAllDone(_ fleet: WorkflowFleet, _ count: Int) async throws {
            let lives = try await fleet.lives()
            #expect((0..<count).filter { lives[$0]?.ends != 1 } == [])
        }

        /// With more bytes than a message may have they become dead letters, one after the other.
        @Test func whatIsTooLargeIsNotKept() async throws {
            try await withRedisServer { server in
                let fleet = try WorkflowFleet(server, namespace: "dramatiq", heartbeat: .seconds(60))
                let bomb = try Self.message(args: Bomb.numbers(63 << 20))
                #expect(bomb.count < 1 << 18)
                try await send(10, bomb, to: fleet)
                let peak = try await work(fleet, ["prefetch=20"])
                #expect(peak < 1 << 28, "\(peak >> 20) MiB")
                try await expectAllDone(fleet, 10)
                let letters = try await fleet.transport.deadLetters()
                #expect(letters.count == 10)
                #expect(letters.allSatisfy { $0.reason.contains("more than the limit of 33554432 bytes") })
            }
        }

        /// Those that may be read are read when there is room for them, one after the other with this budget.
        @Test(arguments: [(Bomb.numbers, 8), (.options, 8), (.text, 40)])
        func whatIsLargeIsReadWhenThereIsRoom(bomb: Bomb, count: Int) async throws {
            try await withRedisServer { server in
                let fleet = try WorkflowFleet(server, namespace: "dramatiq", heartbeat: .seconds(60))
                try await send(count, try bomb.bytes, to: fleet)
                let peak = try await work(fleet, ["prefetch=\(2 * count)", "memory=\(1 << 22)"])
                #expect(peak < 1 << 27, "\(peak >> 20) MiB")
                try await expectAllDone(fleet, count)
            }
        }
    }
#endif
