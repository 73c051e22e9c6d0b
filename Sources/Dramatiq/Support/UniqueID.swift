import Synchronization

#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Makes version 4 UUIDs (RFC 9562) in the lower-case form that Python writes.
package enum UniqueID {
    /// Random bytes are taken from the system in blocks, since a system call per id would cost more than the id.
    private static let pool = Mutex(RandomPool())

    private struct RandomPool {
        private static let blockSize = 256
        private let source = open("/dev/urandom", O_RDONLY | O_CLOEXEC)
        private var words: [UInt64] = []

        mutating func next() -> UInt64 {
            if words.isEmpty { words = block() }
            return words.removeLast()
        }

        private func block() -> [UInt64] {
            [UInt64](unsafeUninitializedCapacity: Self.blockSize) { buffer, initialized in
                let bytes = Self.blockSize * MemoryLayout<UInt64>.size
                if source < 0 || read(source, buffer.baseAddress, bytes) != bytes {
                    var generator = SystemRandomNumberGenerator()
                    for index in 0..<Self.blockSize { buffer[index] = generator.next() }
                }
                initialized = Self.blockSize
            }
        }
    }

    /// A fresh id.
    package static func make() -> String {
        let (high, low) = pool.withLock { ($0.next(), $0.next()) }
        return text(high: high & ~0xF000 | 0x4000, low: low & ~(3 << 62) | 2 << 62)
    }

    /// An id derived from a text and a number: the same every time, so that repeating a step that made it is harmless.
    /// In the form of a version 8 UUID; the two halves are 64-bit FNV-1a hashes with different offsets.
    package static func derived(from name: String, _ index: Int) -> String {
        func hash(_ offset: UInt64) -> UInt64 {
            var hash = offset
            func mix(_ byte: UInt8) { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
            for byte in name.utf8 { mix(byte) }
            withUnsafeBytes(of: UInt64(bitPattern: Int64(index)).littleEndian) { $0.forEach(mix) }
            // FNV's last bytes reach few of the high bits; this finishes the mixing (SplitMix64, Steele et al. 2014).
            hash = (hash ^ hash >> 30) &* 0xBF58_476D_1CE4_E5B9
            hash = (hash ^ hash >> 27) &* 0x94D0_49BB_1331_11EB
            return hash ^ hash >> 31
        }
        let high = hash(0xCBF2_9CE4_8422_2325)
        let low = hash(0x8422_2325_CBF2_9CE4)
        return text(high: high & ~0xF000 | 0x8000, low: low & ~(3 << 62) | 2 << 62)
    }

    private static func text(high: UInt64, low: UInt64) -> String {
        String(unsafeUninitializedCapacity: 36) { buffer in
            var position = 0
            for index in 0..<32 {
                if index == 8 || index == 12 || index == 16 || index == 20 {
                    buffer[position] = UInt8(ascii: "-")
                    position += 1
                }
                let word = index < 16 ? high : low
                let digit = UInt8(truncatingIfNeeded: word >> UInt64(60 - 4 * (index & 15)) & 0xF)
                buffer[position] = digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10
                position += 1
            }
            return 36
        }
    }
}
