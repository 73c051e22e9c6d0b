import Dramatiq
import DramatiqLZ4
import DramatiqRedis
import DramatiqWorkflow
import DramatiqZlib
import Foundation
import Logging
import RedisTestSupport
import Synchronization
import TestSupport

/// A worker in a process of its own, whose tasks note in Redis what they do. Tests kill it.
///
/// Arguments, as `name=value`: `url`, `namespace`, `heartbeat` (milliseconds), `concurrency`, `actors` (names, each with
/// its queue: `task@default`), `queues` (to take from; all unless given), `die` (`before:3`: kills itself before the
/// third commit is sent; `after:3`: once it was done and before anybody hears of it), `hold` (a file until which tasks
/// with a negative time keep a thread busy), `memcached` (the servers that keep the barriers; Redis unless given),
/// `barriers` (`counting`: those of dramatiq's own `Barrier`), `storage` (as `SharedStorage` has it), `lethal` (a text: it kills itself when it reads a message
/// with that), `encoder` (which formats it reads: `zlib`, `lz4`; JSON unless given), `prefetch` and `memory` (as of
/// `Worker`), `numbers` (a queue with an actor of that name, which takes an array of integers).
@main
struct RedisTestWorker {
    private struct Failure: Error {}

    /// Kills the process that reads a message with a text in it.
    private struct LethalEncoder: MessageEncoder {
        let text: String

        func encode(_ message: Message) throws -> [UInt8] { try JSONMessageEncoder().encode(message) }

        func decode(_ bytes: [UInt8]) throws -> Message {
            if String(decoding: bytes, as: UTF8.self).contains(text) { kill(getpid(), SIGKILL) }
            return try JSONMessageEncoder().decode(bytes)
        }
    }

    static func main() async throws {
        var arguments: [String: String] = [:]
        for argument in CommandLine.arguments.dropFirst() {
            let parts = argument.split(separator: "=", maxSplits: 1)
            if parts.count == 2 { arguments[String(parts[0])] = String(parts[1]) }
        }
        LoggingSystem.bootstrap(StreamLogHandler.standardError)
        let namespace = arguments["namespace"] ?? "dramatiq"
        let redis = try RedisClient(url: arguments["url"] ?? "redis://127.0.0.1:6379")
        let executor = FaultyExecutor(redis)
        if let fault = arguments["die"] { die(fault, executor) }
        let transport = RedisTransport(
            executor,
            configuration: RedisTransport.Configuration(
                namespace: namespace,
                heartbeatTimeout: .milliseconds(Int(arguments["heartbeat"] ?? "") ?? 60_000)))
        let broker = Broker(
            transport: transport,
            encoder: arguments["lethal"].map { LethalEncoder(text: $0) } ?? encoder(arguments["encoder"]),
            middleware: Broker.defaultMiddleware + [
                CurrentMessage(),
                WorkflowMiddleware(
                    backend: try WorkflowFleet.store(
                        executor, arguments["memcached"]?.split(separator: ",").map(String.init) ?? []),
                    barriers: arguments["barriers"] == "counting" ? .counting : .atMostOnce,
                    callbackStorage: try arguments["storage"].map {
                        try SharedStorage($0).callbackStorage(redis, namespace: namespace, role: "work")
                    } ?? InlineCallbackStorage()),
            ])
        for actor in (arguments["actors"] ?? "task@default").split(separator: ",") {
            let parts = actor.split(separator: "@").map(String.init)
            try await broker.declare(
                task(
                    parts[0], queue: parts[1], redis, TaskEvents.key(namespace: namespace), held: arguments["hold"]))
        }
        if let queue = arguments["numbers"] {
            try await broker.declare(TaskActor("numbers", queue: queue) { (_: [Int]) in })
        }
        let worker = Worker(
            broker,
            concurrency: Int(arguments["concurrency"] ?? "") ?? 4,
            queues: arguments["queues"].map { Set($0.split(separator: ",").map(String.init)) },
            prefetch: Int(arguments["prefetch"] ?? ""),
            transitionRetries: TransitionRetryPolicy(
                minBackoff: .milliseconds(5), maxBackoff: .milliseconds(100)),
            memoryBudget: Int(arguments["memory"] ?? "") ?? Worker.defaultMemoryBudget)
        let work = Task { try await worker.run() }
        ChildProcess.whenInputEnds { work.cancel() }
        try await work.value
    }

    private static func encoder(_ name: String?) -> any MessageEncoder {
        switch name {
        case "zlib": ZlibMessageEncoder()
        case "lz4": LZ4MessageEncoder()
        default: JSONMessageEncoder()
        }
    }

    /// A task that fails as often as it is told, and takes as long. A negative number of failures kills the process.
    private static func task(
        _ name: String,
        queue: String,
        _ redis: RedisClient,
        _ events: String,
        held: String?
    ) -> TaskActor<Int, Int, Int, Int, Void> {
        TaskActor(name, queue: queue, options: [.minBackoff(.milliseconds(1)), .maxBackoff(.milliseconds(3))]) {
            (workflow: Int, id: Int, failures: Int, milliseconds: Int) in
            let options = CurrentMessage.message?.options
            let enqueue = options?["redis_message_id"]?.stringValue ?? "none"
            try await note("start \(workflow) \(id) \(enqueue)", redis, events)
            if failures < 0 { kill(getpid(), SIGKILL) }
            try AddedTasks.add(CurrentMessage.message)
            if failures == WorkflowFleet.untilMended {
                let key = RedisCommand("EXISTS", "\(events):mended")
                if try await redis.execute(key).integer() == 0 { throw Failure() }
            } else if (options?["retries"]?.intValue ?? 0) < failures {
                throw Failure()
            }
            if milliseconds > 0 { try await Task.sleep(for: .milliseconds(milliseconds)) }
            if milliseconds < 0, let held {
                while !FileManager.default.fileExists(atPath: held) { usleep(5000) }
            }
            try await note("end \(workflow) \(id) \(enqueue)", redis, events)
        }
    }

    /// Notes an event once, however often it has to be tried.
    private static let noteOnce = RedisScript(
        """
        if redis.call('SADD', KEYS[1] .. ':noted', ARGV[1]) == 1 then redis.call('RPUSH', KEYS[1], ARGV[2]) end
        """)

    private static func note(_ event: String, _ redis: RedisClient, _ events: String) async throws {
        let event = "\(event) \(Int(Date().timeIntervalSince1970 * 1000))"
        let id = UUID().uuidString
        while true {
            do {
                _ = try await redis.evaluate(noteOnce, keys: [events], id, event)
                return
            } catch let error as RedisError where error.isTransient {
                try await Task.sleep(for: .milliseconds(10))
            }
        }
    }

    private static func die(_ fault: String, _ executor: FaultyExecutor) {
        let parts = fault.split(separator: ":")
        guard parts.count == 2, let number = Int(parts[1]) else { return }
        let count = Mutex(0)
        executor.set { command in
            guard command.isCommit else { return nil }
            let isTheOne = count.withLock { count in
                count += 1
                return count == number
            }
            guard isTheOne else { return nil }
            if parts[0] == "before" { kill(getpid(), SIGKILL) }
            return .after(then: { _ = kill(getpid(), SIGKILL) })
        }
    }
}
