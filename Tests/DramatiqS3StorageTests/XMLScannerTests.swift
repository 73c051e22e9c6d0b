import TestSupport
import Testing

@testable import DramatiqS3Storage

/// What servers send instead of what is expected.
@Suite(.timeLimit(.minutes(10))) struct XMLScannerTests {
    private static let list = """
        <?xml version="1.0" encoding="UTF-8"?>
        <ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>bucket</Name>
        <EncodingType>url</EncodingType><IsTruncated>true</IsTruncated>
        <NextContinuationToken>1&amp;&lt;&#x41;&#66;</NextContinuationToken><!-- > -->
        <Contents><Key>a%20b+c</Key><LastModified>2026-11-26T08:00:00.000Z</LastModified><ETag>&quot;x&quot;</ETag>
        <Size>12</Size><Owner/></Contents></ListBucketResult>
        """

    @Test func listsAreRead() throws {
        let list = try S3ListReply(Array(Self.list.utf8))
        #expect(list.objects.map(\.key) == ["a b c"] && list.objects.map(\.size) == [12])
        #expect(list.objects.map(\.modified) == [1_795_680_000])
        #expect(list.continuation == "1&<AB")
    }

    @Test func errorsAreRead() {
        let reply = S3ErrorReply(
            Array("\u{FEFF}<Error a='>'><Code>NoSuchKey</Code><Message><![CDATA[<no>]]></Message></Error>\n".utf8))
        #expect(reply.code == "NoSuchKey" && reply.message == "<no>" && reply.requestID == nil)
        #expect(S3ErrorReply(Array("<html><body>502</body></html>".utf8)).code == nil)
    }

    @Test(arguments: [
        "", "x", "<", "<a", "<a>", "</a>", "<a></b>", "<a/><b/>", "<a>&b;</a>", "<a>&#xFFFFFF;</a>", "<a>&#xD800;</a>",
        "<a>&</a>",
        "<!DOCTYPE a [<!ENTITY b \"c\">]><a>&b;</a>", "<a b=\">", "<a>]]></a", "<![CDATA[x]]>", "<?", "<!--",
        "<a><![CDATA[",
        "<a \u{0}<>", "<>", "< a></a>", String(repeating: "<a>", count: 100_000),
    ])
    func whatIsNoXMLIsAnError(text: String) {
        #expect(throws: XMLScanner.Malformed.self) { try XMLElement(parsing: Array(text.utf8)) }
        #expect(throws: XMLScanner.Malformed.self) { try S3ListReply(Array(text.utf8)) }
    }

    @Test func longTextsTakeTimeThatIsLinear() throws {
        let many = String(repeating: "<Contents><Key>&amp;</Key></Contents>", count: 50_000)
        #expect(try XMLElement(parsing: Array("<a>\(many)</a>".utf8)).children.count == 50_000)
        let open = String(repeating: "<![CDATA[", count: 100_000)
        #expect(throws: XMLScanner.Malformed.self) { try XMLElement(parsing: Array("<a>\(open)".utf8)) }
    }

    @Test(arguments: TestSeed.first(20)) func damagedListsAreErrorsOrLists(seed: TestSeed) {
        var generator = seed.generator
        for _ in 0..<2000 {
            var bytes = Array(Self.list.utf8)
            for _ in 0..<Int.random(in: 1...8, using: &generator) {
                let place = Int.random(in: 0..<bytes.count, using: &generator)
                switch Int.random(in: 0..<3, using: &generator) {
                case 0: bytes[place] = UInt8.random(in: 0...255, using: &generator)
                case 1: bytes.removeSubrange(place..<min(bytes.count - 1, place + 20))
                default: bytes.insert(contentsOf: bytes[place...].prefix(30), at: place)
                }
            }
            if let list = try? S3ListReply(bytes) { #expect(list.objects.allSatisfy { $0.size >= 0 }, "\(seed)") }
        }
    }
}
