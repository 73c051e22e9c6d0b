import DramatiqRedis
import Foundation

/// A `redis-server` for the length of a run, on a port of 127.0.0.1 that was free, without a disk.
final class LocalServer: Sendable {
    private let process = Process()
    let url: String

    init() async throws {
        let port = try Self.freePort()
        url = "redis://127.0.0.1:\(port)"
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = [
            "redis-server", "--port", "\(port)", "--bind", "127.0.0.1", "--save", "", "--appendonly", "no",
        ]
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        let client = try RedisClient(url: url)
        while (try? await client.execute(RedisCommand("PING"))) == nil {
            guard process.isRunning else { throw DidNotStart() }
            try await Task.sleep(for: .milliseconds(10))
        }
        await client.shutDown()
    }

    func stop() {
        kill(process.processIdentifier, SIGKILL)
    }

    struct DidNotStart: Error {}

    private static func freePort() throws -> UInt16 {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let result = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                bind(descriptor, address, length) == 0 && getsockname(descriptor, address, &length) == 0
            }
        }
        guard result else { throw DidNotStart() }
        return UInt16(bigEndian: address.sin_port)
    }
}
