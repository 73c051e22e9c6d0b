#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Ports of 127.0.0.1.
public enum LoopbackPort {
    /// Those that systems give to nobody by themselves, as they do with the ports above for every connection that any
    /// program makes: a server that is started again would not find its own.
    private static let candidates = 15_000..<32_000

    /// One that nobody listened on a moment ago. Somebody may by the time that it is used, so be ready to try another.
    public static func free() throws -> Int {
        for _ in 0..<1000 {
            let port = Int.random(in: candidates)
            if try isFree(port) { return port }
        }
        throw NoneFree(errorNumber: EADDRINUSE)
    }

    private static func isFree(_ port: Int) throws -> Bool {
        try withSocket(port) { bind($0, $1, $2) == 0 }
    }

    /// Whether a server takes connections.
    public static func isServed(_ port: Int) throws -> Bool {
        try withSocket(port) { connect($0, $1, $2) == 0 }
    }

    /// Sends a server a line, and reads until its answer ends as is told.
    static func ask(_ port: Int, _ line: String, until end: String) throws -> String {
        try withSocket(port) { descriptor, address, length in
            guard connect(descriptor, address, length) == 0, write(descriptor, line, line.utf8.count) > 0 else {
                throw NoneFree(errorNumber: errno)
            }
            var answer: [UInt8] = []
            var piece = [UInt8](repeating: 0, count: 1 << 16)
            while !answer.suffix(end.utf8.count).elementsEqual(end.utf8) {
                let count = read(descriptor, &piece, piece.count)
                guard count > 0 else { throw NoneFree(errorNumber: errno) }
                answer += piece[..<count]
            }
            return String(decoding: answer, as: UTF8.self)
        }
    }

    private static func withSocket<Result>(
        _ port: Int,
        _ body: (Int32, UnsafePointer<sockaddr>, socklen_t) throws -> Result
    ) throws -> Result {
        #if canImport(Darwin)
            let descriptor = socket(AF_INET, SOCK_STREAM, 0)
        #else
            let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        #endif
        guard descriptor >= 0 else { throw NoneFree(errorNumber: errno) }
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        address.sin_port = UInt16(port).bigEndian
        return try withUnsafePointer(to: &address) { pointer in
            try pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                try body(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
    }

    public struct NoneFree: Error {
        public let errorNumber: Int32
    }
}
