extension RedisExecutor {
    /// All keys of the database that match a pattern, little by little, so that the server is never kept for long. What
    /// comes or goes meanwhile may be missing; a key may come more than once. One that is not UTF-8 is another program's
    /// and left out.
    ///
    /// - Parameter neighbour: a key of theirs, which says where in a cluster they are.
    func scan(matching pattern: String, near neighbour: String, _ body: (String) throws -> Void) async throws {
        try await scan {
            RedisCommand(QueueScripts.scan, keys: [neighbour], $0, pattern)
        } _: {
            if let key = String(validating: try $0.bytes(), as: UTF8.self) { try body(key) }
        }
    }

    /// All members of a set, as ``scan(matching:near:_:)``.
    func scan(set key: String, _ body: (String) throws -> Void) async throws {
        try await scan {
            RedisCommand("SSCAN", key, $0, "COUNT", 1000)
        } _: {
            try body(try $0.string())
        }
    }

    private func scan(
        _ command: (_ cursor: String) -> RedisCommand, _ body: (RESPValue) throws -> Void
    ) async throws {
        var cursor = "0"
        repeat {
            let reply = try await execute(command(cursor)).array()
            guard reply.count == 2 else {
                throw RedisError(.unexpectedReply, "A scan is answered with a cursor and elements")
            }
            cursor = try reply[0].string()
            for element in try reply[1].array() { try body(element) }
        } while cursor != "0"
    }
}
