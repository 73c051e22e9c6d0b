/// Which slots each server of a cluster has that is no replica.
struct ClusterSlots {
    /// Each server's slots, by the first of them.
    let servers: [[ClosedRange<UInt16>]]

    /// Reads the answer to `CLUSTER SLOTS`: https://redis.io/docs/latest/commands/cluster-slots/
    init(_ reply: RESPValue) throws(RedisError) {
        var servers: [RESPValue: [ClosedRange<UInt16>]] = [:]
        for range in try reply.array() {
            let parts = try range.array()
            guard parts.count > 2, let first = UInt16(exactly: try parts[0].integer()),
                let last = UInt16(exactly: try parts[1].integer()), first <= last, last < KeySlot.count
            else { throw RedisError(.unexpectedReply, "Slots are two numbers and their servers") }
            // The first one is no replica: its host and port, its id, which alone is always there, and more.
            let server = try parts[2].array()
            servers[server.count > 2 ? server[2] : .array(server), default: []].append(first...last)
        }
        self.servers = servers.values.map { $0.sorted { $0.lowerBound < $1.lowerBound } }
            .sorted { $0[0].lowerBound < $1[0].lowerBound }
    }
}

/// How far a scan has come that visits one server of a cluster after the other.
///
/// They are visited in the order of their first slots, so it ends whatever happens to them meanwhile.
struct ClusterCursor {
    /// How many keys are tried to find one on a server that has a single slot: with one in a hundred million it is missed.
    private static let maxNeighbours = 300_000

    /// The first slot that the server had when its turn came.
    let firstSlot: UInt16
    /// Makes a key that lies there: no such key is stored, but a command with it is sent there.
    let neighbour: Int
    /// The server's own.
    var cursor = "0"

    /// The beginning of the next server, if there is one.
    ///
    /// - Parameters:
    ///   - slot: the first slot of the server before; `nil` for the first server.
    ///   - key: makes a key of a number.
    /// - Throws: ``RedisError`` if no key was found that lies there.
    init?(after slot: UInt16?, of slots: ClusterSlots, key: (Int) -> String) throws(RedisError) {
        guard let ranges = slots.servers.first(where: { server in slot.map { server[0].lowerBound > $0 } ?? true })
        else { return nil }
        firstSlot = ranges[0].lowerBound
        let neighbour = (0..<Self.maxNeighbours).first { number in
            let slot = KeySlot.slot(of: Array(key(number).utf8)[...])
            return ranges.contains { $0.contains(slot) }
        }
        guard let neighbour else {
            throw RedisError(.unexpectedReply, "No key was found that would lie in slot \(firstSlot)")
        }
        self.neighbour = neighbour
    }

    /// What ``text`` was; `nil` for anything else, such as a server's own cursor.
    init?(_ text: String) {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 3, let slot = UInt16(parts[0]), let neighbour = Int(parts[1]) else { return nil }
        (firstSlot, self.neighbour, cursor) = (slot, neighbour, String(parts[2]))
    }

    var text: String { "\(firstSlot).\(neighbour).\(cursor)" }
}
