import DramatiqRedis
import TestSupport

/// A Redis Cluster of a test's own, on loopback ports, without replicas. The slots are spread evenly.
public final class RedisCluster: Sendable {
    private static let slots = 16_384

    public let nodes: [RedisServer]
    /// One for each node that is asked no more than what it can answer itself.
    private let clients: [RedisClient]

    /// Starts the servers and waits until all of them take part.
    public init(nodes count: Int) async throws {
        var nodes: [RedisServer] = []
        var busPorts: [Int] = []
        for _ in 0..<count {
            let busPort = try LoopbackPort.free()
            busPorts.append(busPort)
            nodes.append(
                try await RedisServer(
                    RedisServer.Setup(directives: [
                        "cluster-enabled yes", "cluster-config-file nodes.conf", "cluster-node-timeout 15000",
                        "cluster-port \(busPort)",
                    ])))
        }
        self.nodes = nodes
        clients = try nodes.map { try RedisClient(url: $0.url) }
        for (index, client) in clients.enumerated() {
            let share = (Self.slots * index / count)..<(Self.slots * (index + 1) / count)
            _ = try await client.execute(RedisCommand("CLUSTER", "ADDSLOTS", list: Array(share)))
            // As `redis-cli --cluster create` does it. Servers with the same epoch take new ones once they meet, in an order
            // by lot: one that still claims a slot that was moved meanwhile could get it back, and then points to the other.
            _ = try await client.execute(RedisCommand("CLUSTER", "SET-CONFIG-EPOCH", index + 1))
            if index > 0 {
                _ = try await client.execute(
                    RedisCommand("CLUSTER", "MEET", "127.0.0.1", nodes[0].port, busPorts[0]))
            }
        }
        try await eventually(within: .seconds(100)) {
            for client in self.clients {
                let info = try await client.execute(RedisCommand("CLUSTER", "INFO")).string()
                guard info.contains("cluster_state:ok"), info.contains("cluster_known_nodes:\(count)"),
                    info.contains("cluster_slots_ok:\(Self.slots)")
                else { return false }
            }
            return true
        }
    }

    /// The place of the node that has a key.
    public func owner(of key: String) async throws -> Int {
        Self.index(of: try await slot(of: key), nodes: nodes.count)
    }

    public func slot(of key: String) async throws -> Int {
        try await clients[0].execute(RedisCommand("CLUSTER", "KEYSLOT", key)).integer()
    }

    private static func index(of slot: Int, nodes: Int) -> Int {
        (0..<nodes).first { slot < slots * ($0 + 1) / nodes } ?? 0
    }

    /// Runs `CLUSTER SETSLOT` on a node; the other node that it names is given by its place.
    public func setSlot(_ slot: Int, on node: Int, _ state: String, _ other: Int) async throws {
        let id = try await clients[other].execute(RedisCommand("CLUSTER", "MYID")).string()
        _ = try await clients[node].execute(RedisCommand("CLUSTER", "SETSLOT", slot, state, id))
    }

    /// Ends the servers.
    public func kill() {
        for node in nodes { node.kill() }
    }
}

/// Runs a test's body beside a cluster of its own.
public func withRedisCluster<Result>(
    nodes: Int,
    _ body: (RedisCluster) async throws -> Result
) async throws -> Result {
    let cluster = try await RedisCluster(nodes: nodes)
    defer { cluster.kill() }
    return try await body(cluster)
}
