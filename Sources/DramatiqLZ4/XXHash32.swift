/// The checksum of LZ4 frames, with seed 0.
///
/// Only frames with dictionaries need it; liblz4 has one for all others and keeps it to itself.
/// Source: <https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md>.
enum XXHash32 {
    private static let prime1: UInt32 = 0x9E37_79B1
    private static let prime2: UInt32 = 0x85EB_CA77
    private static let prime3: UInt32 = 0xC2B2_AE3D
    private static let prime4: UInt32 = 0x27D4_EB2F
    private static let prime5: UInt32 = 0x1656_67B1

    static func hash(_ bytes: UnsafeRawBufferPointer) -> UInt32 {
        var position = 0
        func word() -> UInt32 {
            defer { position += 4 }
            return UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: position, as: UInt32.self))
        }
        var hash = prime5
        if bytes.count >= 16 {
            var lanes = (prime1 &+ prime2, prime2, UInt32(0), 0 &- prime1)
            while bytes.count - position >= 16 {
                lanes.0 = round(lanes.0, word())
                lanes.1 = round(lanes.1, word())
                lanes.2 = round(lanes.2, word())
                lanes.3 = round(lanes.3, word())
            }
            hash = rotate(lanes.0, 1) &+ rotate(lanes.1, 7) &+ rotate(lanes.2, 12) &+ rotate(lanes.3, 18)
        }
        hash &+= UInt32(truncatingIfNeeded: bytes.count)
        while bytes.count - position >= 4 {
            hash = rotate(hash &+ word() &* prime3, 17) &* prime4
        }
        while position < bytes.count {
            hash = rotate(hash &+ UInt32(bytes[position]) &* prime5, 11) &* prime1
            position += 1
        }
        hash = (hash ^ hash >> 15) &* prime2
        hash = (hash ^ hash >> 13) &* prime3
        return hash ^ hash >> 16
    }

    private static func round(_ lane: UInt32, _ word: UInt32) -> UInt32 {
        rotate(lane &+ word &* prime2, 13) &* prime1
    }

    private static func rotate(_ value: UInt32, _ distance: UInt32) -> UInt32 {
        value << distance | value >> (32 - distance)
    }
}
