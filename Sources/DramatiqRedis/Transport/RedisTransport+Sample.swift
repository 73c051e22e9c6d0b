public import Dramatiq

extension RedisTransport {
    public func sample(queue: String = "default", limit: Int = 100) async throws -> [QueuedMessage] {
        var sample: [QueuedMessage] = []
        for name in [QueueName.canonical(queue), QueueName.delayed(queue)] where sample.count < limit {
            // The same one may come more than once while the server reorders its table.
            var seen: Set<[UInt8]> = []
            var cursor = "0"
            repeat {
                let command = RedisCommand(
                    "HSCAN", keys.messages(name), cursor, "COUNT", min(limit - sample.count, 100))
                let reply: [RESPValue]
                do {
                    reply = try await executor.execute(command).array()
                } catch let error as RedisError where error.isServerError("WRONGTYPE") {
                    break
                }
                guard reply.count == 2 else { throw RedisError(.unexpectedReply, "HSCAN answered something else") }
                cursor = try reply[0].string()
                let entries = try reply[1].array()
                for index in stride(from: 0, to: entries.count - 1, by: 2) where sample.count < limit {
                    guard seen.insert(try entries[index].bytes()).inserted else { continue }
                    let payload = Delivery.Payload.bytes(try entries[index + 1].bytes())
                    sample.append(QueuedMessage(id: try entries[index].text(), payload: payload))
                }
            } while cursor != "0" && sample.count < limit
        }
        return sample
    }
}
