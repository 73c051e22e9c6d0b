import Dramatiq
import Synchronization

/// Which servers of a cluster have which slots, as far as this client was told by one of them.
final class ClusterNodes: Sendable {
    typealias Address = RedisConfiguration.Address

    private struct State {
        var addresses: [UInt16: Address] = [:]
        var connections: [Address: RedisConnection] = [:]
        var isClosed = false
    }

    private let connect: @Sendable (Address) -> RedisConnection
    /// Whether anything is known, which it is not of a server that stands alone.
    private let isKnown = Atomic(false)
    private let state = Mutex(State())

    /// - Parameter connect: makes a connection to a server.
    init(_ connect: @escaping @Sendable (Address) -> RedisConnection) {
        self.connect = connect
    }

    /// The server that has a command's key, if it is known.
    func address(for command: RedisCommand) -> Address? {
        guard isKnown.load(ordering: .relaxed), let key = command.routingKey else { return nil }
        return state.withLock { $0.addresses[KeySlot.slot(of: key)] }
    }

    func note(_ address: Address, slot: UInt16) {
        state.withLock { $0.addresses[slot] = address }
        isKnown.store(true, ordering: .relaxed)
    }

    /// A server can't be reached. Another one may have its slots by now.
    func forget(_ address: Address) {
        state.withLock { state in state.addresses = state.addresses.filter { $0.value != address } }
    }

    /// - Throws: ``RedisError/Code/clientClosed``.
    func connection(to address: Address) throws(RedisError) -> RedisConnection {
        try state.withLock { state throws(RedisError) in
            if state.isClosed { throw RedisError(.clientClosed, "The Redis client was shut down") }
            if let connection = state.connections[address] { return connection }
            let connection = connect(address)
            state.connections[address] = connection
            return connection
        }
    }

    /// From now on connections close soon after they were used.
    func release() {
        for connection in state.withLock(\.connections.values) { connection.release() }
    }

    /// Ends all connections for good and returns them.
    func close() -> [RedisConnection] {
        let connections = state.withLock { state in
            state.isClosed = true
            return Array(state.connections.values)
        }
        for connection in connections { connection.close() }
        return connections
    }
}

/// What a server of a cluster says that doesn't have the slot of a key.
struct Redirection {
    let slot: UInt16
    /// The server that has it.
    let address: RedisConfiguration.Address
    /// Whether that is so for this key and this time only: its slot is on its way from one server to another.
    let isOnce: Bool

    /// - Parameter answerer: who says so; a host that isn't named is its own.
    init?(_ error: RedisError, from answerer: RedisConfiguration.Address) {
        guard error.code == .server, error.message.hasBytePrefix("MOVED ") || error.message.hasBytePrefix("ASK ") else {
            return nil
        }
        let words = error.message.split(separator: " ")
        guard words.count == 3, let slot = UInt16(words[1]), let colon = words[2].lastIndex(of: ":"),
            let port = UInt16(words[2][words[2].index(after: colon)...]), port > 0
        else { return nil }
        self.slot = slot
        isOnce = words[0] == "ASK"
        let host = words[2][..<colon]
        if host.isEmpty || host == "?" {
            guard case .host(let name, _) = answerer.place else { return nil }
            address = .host(name, port: Int(port))
        } else {
            address = .host(String(host), port: Int(port))
        }
    }
}
