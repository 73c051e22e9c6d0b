import Crypto
import Dramatiq
import TestSupport

/// Contents that another process can make again to compare.
public enum StressContent {
    /// How many contents all processes have in common.
    public static let sharedCount = 64

    /// Half of the contents are shared by all seeds, so that processes meet at the same files.
    public static func make(seed: UInt64, index: Int) -> [UInt8] {
        index.isMultiple(of: 2)
            ? shared(index / 2 % sharedCount) : make(SeededGenerator(seed: seed &* 1_000_003 &+ UInt64(index)))
    }

    public static func shared(_ index: Int) -> [UInt8] {
        make(SeededGenerator(seed: UInt64(index)))
    }

    /// What the store will call it.
    static func reference(_ content: [UInt8]) -> JSONValue {
        .string("sha256:" + digest(content))
    }

    /// Where the store will keep it.
    static func path(_ content: [UInt8]) -> String {
        let digest = digest(content)
        return "\(digest.prefix(1))/\(digest.dropFirst().prefix(1))/\(digest)"
    }

    private static func digest(_ content: [UInt8]) -> String {
        var hash = SHA256()
        content.withUnsafeBytes { hash.update(bufferPointer: $0) }
        return hash.finalize().map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    private static func make(_ generator: SeededGenerator) -> [UInt8] {
        var generator = generator
        let size = Int.random(in: 0...40_000, using: &generator)
        var bytes: [UInt8] = []
        bytes.reserveCapacity(size + 8)
        while bytes.count < size { withUnsafeBytes(of: generator.next()) { bytes.append(contentsOf: $0) } }
        return bytes
    }
}
