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
        digest = SHA1.hexadecimalDigest(of: Array(source.utf8))
        evaluateByDigest = RedisCommand("EVALSHA", digest).body
        evaluateBySource = RedisCommand("EVAL", source).body
    }
}
