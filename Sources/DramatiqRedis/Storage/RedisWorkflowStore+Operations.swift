import Dramatiq
public import DramatiqWorkflow

/// A content's age is what is gone of the time for which the store keeps it, so an operator's store needs the same
/// ``ttl``. Redis removes by itself what is older; a sweep by a shorter age removes it sooner.
///
/// All keys of the database are looked at, little by little. On a cluster those of the server that has the slot of the
/// namespace's tag; without a tag those of all servers, one after the other. What lies in slots that are on their way
/// from one server to another may be missing then, or be taken for foreign.
extension RedisWorkflowStore: WorkflowStoreOperations {
    /// Looks at some keys: those that match a pattern, with their size and what is left of their time. `KEYS` say on which
    /// server of a cluster.
    private static let list = RedisScript(
        """
        local reply = redis.call('SCAN', ARGV[1], 'MATCH', ARGV[2], 'COUNT', 1000)
        local found = {}
        for _, key in ipairs(reply[2]) do
          local size = redis.pcall('STRLEN', key)
          local left = redis.pcall('PTTL', key)
          if type(size) ~= 'number' or type(left) ~= 'number' then size, left = -1, -1 end
          for _, value in ipairs({ key, size, left }) do found[#found + 1] = value end
        end
        return { reply[1], found }
        """)
    private static let look = RedisScript("return { redis.call('STRLEN', KEYS[1]), redis.call('PTTL', KEYS[1]) }")
    /// Removes a key that has less than `ARGV[1]` milliseconds left.
    private static let removeOld = RedisScript(
        """
        local left = redis.call('PTTL', KEYS[1])
        if left < 0 or left >= tonumber(ARGV[1]) then return 0 end
        return redis.call('UNLINK', KEYS[1])
        """)

    public var retention: Duration { ttl }

    /// - Throws: `RedisError`.
    public func contents(after position: String?) async throws -> StoredContentPage {
        if let cursor = position.flatMap({ ClusterCursor($0) }) { return try await page(cursor) }
        do {
            // Two keys that only lie together where all others do, too.
            return try await page(near: [key("a"), key("b")], position ?? "0")
        } catch let error as RedisError where position == nil && error.isAcrossSlots {
            guard let cursor = try await cursor(after: nil) else { return StoredContentPage() }
            return try await page(cursor)
        }
    }

    /// A page of what one of a cluster's servers has.
    private func page(_ cursor: ClusterCursor) async throws -> StoredContentPage {
        var page = try await page(near: [key("\(cursor.neighbour)")], cursor.cursor)
        if let next = page.next {
            var cursor = cursor
            cursor.cursor = next
            page.next = cursor.text
        } else {
            page.next = try await self.cursor(after: cursor.firstSlot)?.text
        }
        return page
    }

    private func cursor(after slot: UInt16?) async throws -> ClusterCursor? {
        let slots = try ClusterSlots(try await executor.execute(RedisCommand("CLUSTER", "SLOTS")))
        return try ClusterCursor(after: slot, of: slots) { key("\($0)") }
    }

    /// A page of what lies on the server of some keys.
    private func page(near neighbours: [String], _ cursor: String) async throws -> StoredContentPage {
        let reply = try await executor.evaluate(
            Self.list, keys: neighbours, cursor, RedisKeys.escaped(keyPrefix) + "*"
        ).array()
        guard reply.count == 2 else {
            throw RedisError(.unexpectedReply, "A scan is answered with a cursor and elements")
        }
        var page = StoredContentPage()
        let cursor = try reply[0].string()
        if cursor != "0" { page.next = cursor }
        let found = try reply[1].array()
        for index in stride(from: 0, to: found.count - 2, by: 3) {
            let (size, left) = (try found[index + 1].integer(), try found[index + 2].integer())
            if left == -2 { continue }
            guard let key = String(validating: try found[index].bytes(), as: UTF8.self), key.hasBytePrefix(keyPrefix),
                case let name = String(Substring(key.utf8.dropFirst(keyPrefix.utf8.count))), Self.isValid(name),
                size >= 0
            else {
                page.foreignCount += 1
                continue
            }
            page.contents.append(stored(name, size, left))
        }
        return page
    }

    /// - Throws: `RedisError`.
    public func stored(named name: String) async throws -> StoredContent? {
        guard Self.isValid(name) else { return nil }
        let reply = try await executor.evaluate(Self.look, keys: [key(name)]).array()
        guard reply.count == 2 else { throw RedisError(.unexpectedReply, "A size and a time are two numbers") }
        let left = try reply[1].integer()
        return left == -2 ? nil : stored(name, try reply[0].integer(), left)
    }

    /// - Throws: `RedisError`.
    public func content(named name: String) async throws -> [UInt8]? {
        guard Self.isValid(name) else { return nil }
        let content = try await executor.execute(RedisCommand("GET", key(name)))
        return content.isNull ? nil : try content.bytes()
    }

    /// - Throws: `RedisError`.
    @discardableResult
    public func remove(named name: String, olderThan age: Duration) async throws -> Bool {
        guard Self.isValid(name) else { return false }
        let least = (ttl - age.boundedForRedis()).milliseconds
        return try await executor.evaluate(Self.removeOld, keys: [key(name)], least).boolean()
    }

    /// - Parameter left: in milliseconds; negative for a key that is kept until told otherwise.
    private func stored(_ name: String, _ size: Int, _ left: Int) -> StoredContent {
        let left = left < 0 ? nil : Duration.milliseconds(left)
        return StoredContent(name: name, size: size, age: left.map { ttl - $0 }, timeLeft: left)
    }
}
