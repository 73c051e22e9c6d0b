/// What the body of an error says. One that can't be read says nothing.
struct S3ErrorReply {
    private(set) var code: String?
    private(set) var message: String?
    private(set) var requestID: String?
    private(set) var region: String?

    init(_ body: [UInt8]) {
        guard let root = try? XMLElement(parsing: body), root.name == "Error" else { return }
        code = root["Code"]
        message = root["Message"]
        requestID = root["RequestId"]
        region = root["Region"]
    }
}

/// A page of the objects in a bucket.
struct S3ListReply {
    struct Object {
        let key: String
        let size: Int
        /// In seconds since 1970.
        let modified: Int
    }

    let objects: [Object]
    /// What the next page is asked for with; `nil` if there is none.
    let continuation: String?

    /// Reads the answer to `ListObjectsV2` with `encoding-type=url`.
    init(_ body: [UInt8]) throws(XMLScanner.Malformed) {
        let root = try XMLElement(parsing: body)
        guard root.name == "ListBucketResult" else { throw XMLScanner.Malformed() }
        let isEncoded = root["EncodingType"] == "url"
        var objects: [Object] = []
        for child in root.children where child.name == "Contents" {
            guard let name = child["Key"], let key = isEncoded ? URIEncoding.decode(name) : name,
                let size = child["Size"].flatMap({ Int($0) }), size >= 0,
                let date = child["LastModified"].flatMap({ UTCDate(iso8601: $0) })
            else { throw XMLScanner.Malformed() }
            objects.append(Object(key: key, size: size, modified: date.seconds))
        }
        self.objects = objects
        continuation = root["IsTruncated"] == "true" ? root["NextContinuationToken"] : nil
        guard root["IsTruncated"] != "true" || !(continuation ?? "").isEmpty else { throw XMLScanner.Malformed() }
    }
}
