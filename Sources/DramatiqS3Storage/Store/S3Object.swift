import NIOHTTP1

/// What the headers of an answer say about an object.
struct S3Object: Sendable {
    static let keepUntil = "x-amz-meta-keep-until"
    static let checksum = "x-amz-checksum-sha256"

    /// The SHA-256 of its bytes in base64, if the server tells it.
    let checksum: String?
    let dates: Renewal.Dates?
    /// In bytes.
    let size: Int
    /// The server's present.
    let now: Int

    init(_ response: S3Response) {
        // What was uploaded in parts has one of its parts' checksums, as in "…-3".
        checksum = response.headers.first(name: Self.checksum).flatMap { $0.contains("-") ? nil : $0 }
        now = response.date
        size = response.headers.first(name: "content-length").flatMap { Int($0) }.map { max(0, $0) } ?? 0
        dates = response.headers.first(name: "last-modified").flatMap { UTCDate(http: $0) }.map { date in
            Renewal.Dates(
                modified: date.seconds,
                // One that is further away than any that is written is none.
                keepUntil: response.headers.first(name: Self.keepUntil).flatMap { Int($0) }
                    .flatMap { (0...(1 << 40)).contains($0) ? $0 : nil })
        }
    }
}
