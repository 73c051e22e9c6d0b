#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Memory for a result whose size nobody knows before it is there. Large blocks grow without being copied.
package struct GrowingBuffer: ~Copyable {
    /// More than this much is given back to the system after use.
    private static let keptCapacity = 1 << 18
    private static let firstCapacity = 1 << 12

    private var base: UnsafeMutableRawPointer?
    private var capacity = 0
    /// How many bytes are in use.
    package var count = 0

    package init() {}

    deinit {
        free(base)
    }

    /// Makes room for at least one more byte.
    ///
    /// - Parameters:
    ///   - limit: the most bytes that may ever be in use.
    ///   - hint: how many will be needed, as far as the caller can tell.
    /// - Returns: whether there is room; if not, `limit` is reached or there is no memory.
    package mutating func grow(limit: Int, hint: Int = 0) -> Bool {
        if count < min(capacity, limit) { return true }
        _ = reserve(max(Self.firstCapacity, hint, capacity), limit: limit)
        return count < min(capacity, limit)
    }

    /// Makes room for a number of bytes, or as many as the limit leaves.
    ///
    /// - Returns: whether there is room for all of them.
    package mutating func reserve(_ wanted: Int, limit: Int) -> Bool {
        let needed = min(limit, count + wanted)
        // A buffer of no length has an address as well, which some libraries insist on.
        if base == nil || capacity < needed {
            let larger = max(1, min(limit, max(needed, capacity * 2)))
            guard let base = realloc(base, larger) else { return false }
            self.base = base
            capacity = larger
        }
        return needed == count + wanted
    }

    /// What is not in use yet, up to a limit of all bytes.
    package func unused(limit: Int) -> UnsafeMutableRawBufferPointer {
        UnsafeMutableRawBufferPointer(start: base.map { $0 + count }, count: max(0, min(capacity, limit) - count))
    }

    /// The bytes in use. Afterwards none are.
    package mutating func take() -> [UInt8] {
        let bytes = [UInt8](UnsafeRawBufferPointer(start: base, count: count))
        clear()
        return bytes
    }

    /// Forgets the bytes in use.
    package mutating func clear() {
        count = 0
        guard capacity > Self.keptCapacity else { return }
        free(base)
        base = nil
        capacity = 0
    }
}
