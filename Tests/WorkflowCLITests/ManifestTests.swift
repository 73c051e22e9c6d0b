import TestSupport
import Testing

@testable import CommandLineSupport
@testable import WorkflowDemo

@Suite struct ManifestTests {
    private static let digest = SHA256.digest([])
    private static let hash = digest.description

    private func line(_ path: String) -> String {
        let manifest = Manifest([Manifest.Entry(digest: Self.digest, path: FilePath(path))])
        return String(decoding: manifest.encoded(), as: UTF8.self)
    }

    /// As GNU coreutils writes them.
    @Test(arguments: [
        ("plain", "", "plain"),
        (" two  spaces ", "", " two  spaces "),
        ("new\nline", "\\", "new\\nline"),
        ("back\\slash", "\\", "back\\\\slash"),
        ("carriage\r", "\\", "carriage\\r"),
        ("\\n", "\\", "\\\\n"),
        ("tab\t", "", "tab\t"),
        ("*star", "", "*star"),
        ("-", "", "./-"),
        ("über/日本", "", "über/日本"),
    ])
    func escaping(path: String, mark: String, name: String) throws {
        let text = line(path)
        #expect(text == "\(mark)\(Self.hash)  \(name)\n")
        #expect(try Manifest(parsing: Array(text.utf8)).entries.map(\.path) == [FilePath(path)])
    }

    @Test func roundTripOfRandomNames() throws {
        let letters = Array("\\nr\n\r \t-*é".utf8) + [0xFF]
        let seed = TestSeed(1)
        var generator = seed.generator
        let entries = (0..<500).map { index in
            let name = (0..<Int.random(in: 1...8, using: &generator)).map { _ in
                letters[Int.random(in: letters.indices, using: &generator)]
            }
            return Manifest.Entry(digest: SHA256.digest(Array("\(index)".utf8)), path: FilePath(bytes: name))
        }
        #expect(try Manifest(parsing: Manifest(entries).encoded()).entries == entries, "\(seed)")
    }

    @Test func empty() throws {
        #expect(Manifest([]).encoded().isEmpty)
        #expect(try Manifest(parsing: []).entries.isEmpty)
    }

    @Test(arguments: [
        "\(hash)  name", "\(hash)  \n", "\(hash) name\n", "\(hash.dropLast())g  name\n", "\n", "# comment\n",
        "\\\(hash)  a\\x\n", "\\\(hash)  a\\\n",
    ])
    func malformed(_ text: String) {
        #expect(throws: Manifest.FormatError.self) { try Manifest(parsing: Array(text.utf8)) }
    }

    @Test func sizeTable() {
        let rows = [
            SizeTable.Row(path: FilePath("a\nb"), size: 3, compressedSize: 11),
            SizeTable.Row(path: FilePath("c"), size: 0, compressedSize: 8),
        ]
        #expect(
            String(decoding: SizeTable.encoded(rows), as: UTF8.self)
                == "bytes\tzlib_bytes\tpath\n3\t11\t\\a\\nb\n0\t8\tc\n")
    }
}
