import Foundation

/// Where requests for a bucket go.
struct S3Endpoint: Sendable, Hashable {
    let scheme: String
    /// The value of the header `Host`, which is signed.
    let host: String
    /// In front of each key, encoded; ends with a slash.
    let path: String

    var url: String { "\(scheme)://\(host)\(path)" }

    /// - Throws: ``S3StoreError`` with the code `invalidConfiguration`.
    init(_ configuration: S3Configuration) throws(S3StoreError) {
        let bucket = configuration.bucket
        let letters = { (byte: UInt8) in
            (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
                || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
        }
        guard (3...63).contains(bucket.utf8.count),
            bucket.utf8.allSatisfy({ letters($0) || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: ".") }),
            bucket.utf8.first.map(letters) ?? false, bucket.utf8.last.map(letters) ?? false, !bucket.contains("..")
        else {
            throw .invalidConfiguration(
                "a bucket's name has 3 to 63 small letters, digits, hyphens and dots, and begins and ends with one of the "
                    + "first two")
        }
        guard (1...64).contains(configuration.region.utf8.count),
            configuration.region.utf8.allSatisfy({ letters($0) || $0 == UInt8(ascii: "-") })
        else {
            throw .invalidConfiguration("a region has small letters, digits and hyphens")
        }
        let isAWS = configuration.endpoint == nil
        let (scheme, server) = try Self.server(configuration)
        let isVirtual =
            switch configuration.addressing.style {
            case .path: false
            case .virtualHost: true
            // A name with dots is none that a certificate for *.s3.amazonaws.com is good for.
            case .automatic: isAWS && !bucket.contains(".")
            }
        self.scheme = scheme
        host = isVirtual ? "\(bucket).\(server)" : server
        path = isVirtual ? "/" : "/\(bucket)/"
    }

    private static func server(_ configuration: S3Configuration) throws(S3StoreError) -> (String, String) {
        guard let endpoint = configuration.endpoint else {
            let china = configuration.region.hasPrefix("cn-") ? ".cn" : ""
            return ("https", "s3.\(configuration.region).amazonaws.com\(china)")
        }
        guard let url = URLComponents(string: endpoint), let scheme = url.scheme?.lowercased(),
            ["http", "https"].contains(scheme), let host = url.host, !host.isEmpty, url.path.isEmpty || url.path == "/",
            url.query == nil, url.fragment == nil, url.user == nil, url.password == nil
        else {
            // It is not repeated: somebody may have put a password into it.
            throw .invalidConfiguration("an endpoint is a URL like https://HOST:PORT, and has nothing else")
        }
        guard let port = url.port, port != (scheme == "https" ? 443 : 80) else { return (scheme, host) }
        guard (1...65_535).contains(port) else { throw .invalidConfiguration("an endpoint's port is 1 to 65535") }
        return (scheme, "\(host):\(port)")
    }
}
