/// Which server has a key, as pylibmc chooses unless told otherwise: Bob Jenkins' one-at-a-time hash, modulo the number of
/// servers (libmemcached's `MEMCACHED_HASH_DEFAULT` and `MEMCACHED_DISTRIBUTION_MODULA`).
enum ServerHash {
    static func place(of key: String, among count: Int) -> Int {
        count <= 1 ? 0 : Int(hash(key.utf8) % UInt32(count))
    }

    /// http://burtleburtle.net/bob/hash/doobs.html
    static func hash(_ bytes: some Sequence<UInt8>) -> UInt32 {
        var hash: UInt32 = 0
        for byte in bytes {
            // libmemcached adds a `char`, which has a sign on the machines that it runs on.
            hash &+= UInt32(bitPattern: Int32(Int8(bitPattern: byte)))
            hash &+= hash << 10
            hash ^= hash >> 6
        }
        hash &+= hash << 3
        hash ^= hash >> 11
        hash &+= hash << 15
        return hash
    }
}
