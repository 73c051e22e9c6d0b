/// Keys that many messages carry and that are too long for a small string: shared, so that reading them allocates
/// nothing.
enum KnownKeys {
    private static let byLength: [Int: [String]] = Dictionary(
        grouping: [
            "workflow_completion_callbacks", "requeue_timestamp", "on_retry_exhausted", "redis_message_id",
        ],
        by: \.utf8.count
    )

    static func string(_ bytes: ArraySlice<UInt8>) -> String {
        if bytes.count > 15, let candidates = byLength[bytes.count] {
            for candidate in candidates where candidate.utf8.elementsEqual(bytes) { return candidate }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
