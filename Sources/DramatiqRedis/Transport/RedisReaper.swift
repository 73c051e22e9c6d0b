import Dramatiq
import Logging

/// Brings back to their queues what dead workers had taken, in Swift or in Python, and removes old dead letters.
struct RedisReaper: Sendable {
    let executor: any RedisExecutor
    let keys: RedisKeys
    let configuration: RedisTransport.Configuration
    let transportID: String
    let logger: Logger

    private var silence: Int { configuration.heartbeatTimeout.redisMilliseconds }

    /// Looks for dead workers, unless somebody else has just done so.
    func returnWhatTheDeadHold() async throws {
        let reply = try await executor.evaluate(
            QueueScripts.findDead, keys: [keys.namespace], transportID, max(1, silence / 2), silence
        ).array()
        let dead = try reply.map { try $0.string() }
        guard !dead.isEmpty else { return }
        let queues = try await queuesHeld(by: dead)
        for worker in dead {
            let names = queues[worker] ?? []
            for queue in names { try await returnMessages(of: worker, queue) }
            var command = RedisCommand(QueueScripts.forgetWorker, keys: [keys.namespace], worker, silence)
            for queue in names { command.append("\(worker).\(queue)") }
            _ = try await executor.execute(command)
        }
    }

    /// The queues from which workers have taken something.
    private func queuesHeld(by workers: [String]) async throws -> [String: [String]] {
        var queues: [String: Set<TextKey>] = [:]
        let pattern = RedisKeys.escaped(keys.takenPrefix) + "*"
        try await executor.scan(matching: pattern, near: keys.namespace) { key in
            let holder = String(Substring(key.utf8.dropFirst(keys.takenPrefix.utf8.count)))
            for worker in workers where holder.hasBytePrefix("\(worker).") {
                let queue = String(Substring(holder.utf8.dropFirst(worker.utf8.count + 1)))
                queues[worker, default: []].insert(TextKey(queue))
            }
        }
        return queues.mapValues { $0.map(\.text) }
    }

    private func returnMessages(of worker: String, _ queue: String) async throws {
        let chunk = RedisMessageSource.maxCount
        let command = RedisCommand(
            QueueScripts.returnToQueue, keys: [keys.namespace], worker, queue, chunk, silence, "RPUSH",
            configuration.redeliveryTTL(queue))
        var total = 0
        while true {
            let count = try await executor.execute(command).integer()
            total += max(0, count)
            if count < chunk { break }
        }
        guard total > 0 else { return }
        logger.notice(
            "Returned to their queue what a dead worker had taken",
            metadata: ["worker": "\(worker)", "queue_name": "\(queue)", "messages": "\(total)"])
    }

    /// Removes the dead letters of a queue that are too old.
    func expireDeadLetters(of queue: String) async throws {
        let chunk = RedisMessageSource.maxCount
        let command = RedisCommand(
            QueueScripts.expireDeadLetters, keys: [keys.namespace], QueueName.deadLetter(queue),
            configuration.deadLetterTTL.redisMilliseconds, chunk)
        while try await executor.execute(command).integer() == chunk {}
    }
}
