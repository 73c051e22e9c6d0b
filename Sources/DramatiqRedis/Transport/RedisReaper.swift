import Dramatiq
import Logging

/// Brings back to their queues what dead workers had taken, in Swift or in Python, and removes old dead letters and what
/// is noted about messages that are gone.
///
/// Every process looks by itself, since a worker is dead once its heartbeat has been the same for long enough by the clock
/// of the one who looks: see ``HeartbeatWatch``.
struct RedisReaper: Sendable {
    /// How many dead workers one look sees to.
    private static let maxDead = 100

    let executor: any RedisExecutor
    let keys: RedisKeys
    let configuration: RedisTransport.Configuration
    let transportID: String
    let logger: Logger

    /// The workers with their heartbeats as they are now. One whose id is not UTF-8 is not a worker's.
    func heartbeats() async throws -> [HeartbeatWatch.Heartbeat] {
        let reply = try await executor.evaluate(QueueScripts.heartbeats, keys: [keys.namespace]).array()
        return stride(from: 0, to: reply.count - 1, by: 2).compactMap {
            guard let worker = try? reply[$0].string(), let score = try? reply[$0 + 1].string() else { return nil }
            return HeartbeatWatch.Heartbeat(worker: worker, score: score)
        }
    }

    /// Returns what dead workers hold, unless somebody else is about to.
    ///
    /// - Parameter dead: what a look has found. One that was heard meanwhile is left alone.
    func returnWhatTheyHold(_ dead: [HeartbeatWatch.Heartbeat]) async throws {
        guard !dead.isEmpty else { return }
        let lease = max(1, configuration.heartbeatTimeout.redisMilliseconds / 4)
        guard
            try await executor.evaluate(QueueScripts.leaseReaper, keys: [keys.namespace], transportID, lease).integer()
                == 1
        else { return }
        let dead = dead.prefix(Self.maxDead)
        let queues = try await queuesHeld(by: dead.map(\.worker))
        for heartbeat in dead {
            let names = queues[TextKey(heartbeat.worker)] ?? []
            for queue in names { try await returnMessages(of: heartbeat, queue) }
            var command = RedisCommand(
                QueueScripts.forgetWorker, keys: [keys.namespace], heartbeat.worker, heartbeat.score)
            for queue in names { command.append("\(heartbeat.worker).\(queue)") }
            _ = try await executor.execute(command)
        }
    }

    /// The queues from which workers have taken something.
    private func queuesHeld(by workers: [String]) async throws -> [TextKey: [String]] {
        var queues: [TextKey: Set<TextKey>] = [:]
        let pattern = RedisKeys.escaped(keys.takenPrefix) + "*"
        try await executor.scan(matching: pattern, near: keys.namespace) { key in
            let holder = String(Substring(key.utf8.dropFirst(keys.takenPrefix.utf8.count)))
            for worker in workers where holder.hasBytePrefix("\(worker).") {
                let queue = String(Substring(holder.utf8.dropFirst(worker.utf8.count + 1)))
                queues[TextKey(worker), default: []].insert(TextKey(queue))
            }
        }
        return queues.mapValues { $0.map(\.text) }
    }

    private func returnMessages(of heartbeat: HeartbeatWatch.Heartbeat, _ queue: String) async throws {
        let chunk = RedisMessageSource.maxCount
        let command = RedisCommand(
            QueueScripts.returnToQueue, keys: [keys.namespace], heartbeat.worker, queue, chunk, heartbeat.score,
            "RPUSH", configuration.redeliveryTTL)
        var total = 0
        while true {
            let count = try await executor.execute(command).count()
            total += count
            if count < chunk { break }
        }
        guard total > 0 else { return }
        logger.notice(
            "Returned to their queue what a dead worker had taken",
            metadata: ["worker": "\(heartbeat.worker)", "queue_name": "\(queue)", "messages": "\(total)"])
    }

    /// Removes the dead letters of a queue that are too old.
    func expireDeadLetters(of queue: String) async throws {
        let chunk = RedisMessageSource.maxCount
        let command = RedisCommand(
            QueueScripts.expireDeadLetters, keys: [keys.namespace], QueueName.deadLetter(queue),
            configuration.deadLetterTTL.redisMilliseconds, chunk)
        while try await executor.execute(command).integer() == chunk {}
    }

    /// Removes what is noted about messages of a queue that are gone: Python's workers end messages and leave that.
    func forgetWhatIsGone(from queue: String) async throws {
        var cursor = "0"
        repeat {
            cursor = try await executor.evaluate(
                QueueScripts.sweepRedelivered, keys: [keys.namespace], queue, cursor
            ).string()
        } while cursor != "0"
    }
}
