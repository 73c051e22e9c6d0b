import Crypto

/// A Lua script that runs on the server, with the digest that the server knows it by.
///
/// Make one once and keep it: a connection remembers which scripts its server knows.
public final class RedisScript: Sendable {
    public let source: String
    /// The SHA-1 of the source in hexadecimal.
    public let digest: String
    /// `EVALSHA digest`, encoded.
    let evaluateByDigest: [UInt8]
    /// `EVAL source`, encoded. The server knows the script from then on.
    let evaluateBySource: [UInt8]

    public init(_ source: String) {
        self.source = source
        digest = Self.digest(of: Array(source.utf8))
        evaluateByDigest = RedisCommand("EVALSHA", digest).body
        evaluateBySource = RedisCommand("EVAL", source).body
    }

    /// What Redis names scripts by, which is no matter of safety. It is not asked for it (`SCRIPT LOAD`), since that
    /// takes a permission more and the source once more for each connection, and a server's word for it.
    private static func digest(of source: [UInt8]) -> String {
        var hash = Insecure.SHA1()
        source.withUnsafeBytes { hash.update(bufferPointer: $0) }
        let digits = Array("0123456789abcdef".utf8)
        let text = hash.finalize().flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }
        return String(decoding: text, as: UTF8.self)
    }
}
