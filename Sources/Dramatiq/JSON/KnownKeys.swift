/// Keys that many messages carry and that are too long for a small string: shared, so that reading them allocates
/// nothing.
enum KnownKeys {
    private static let longestSmallString = 15
    private static let keys = WireOption.all.map(\.name).filter { $0.utf8.count > longestSmallString }

    static func string(_ bytes: ArraySlice<UInt8>) -> String {
        if bytes.count > longestSmallString {
            for key in keys where isEqual(key, bytes) { return key }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    private static func isEqual(_ key: String, _ bytes: ArraySlice<UInt8>) -> Bool {
        guard key.utf8.count == bytes.count else { return false }
        let isEqual = key.utf8.withContiguousStorageIfAvailable { key in
            bytes.withUnsafeBufferPointer { bytes in bytes.indices.allSatisfy { key[$0] == bytes[$0] } }
        }
        return isEqual ?? false
    }
}
