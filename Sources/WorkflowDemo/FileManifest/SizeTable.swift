import CommandLineSupport

/// A table of the files' sizes, tab separated, with names escaped as in the manifest.
///
/// It is a file of its own since `sha256sum -c` takes nothing but hashes.
enum SizeTable {
    struct Row: Sendable, Equatable {
        let path: FilePath
        let size: Int
        let compressedSize: Int
    }

    /// The name comes last, so a tab in it does no harm.
    private static let header = "bytes\tzlib_bytes\tpath\n"

    static func encoded(_ rows: [Row]) -> [UInt8] {
        var bytes = Array(header.utf8)
        for row in rows {
            let name = EscapedName(Self.isFormula(row.path) ? FilePath("./").appending(row.path) : row.path)
            bytes += Array("\(row.size)\t\(row.compressedSize)\t".utf8)
            if name.isEscaped { bytes.append(UInt8(ascii: "\\")) }
            bytes += name.bytes + [UInt8(ascii: "\n")]
        }
        return bytes
    }

    /// Whether a spreadsheet would take a name for a formula; with a `./` before it, it is the same path.
    private static func isFormula(_ path: FilePath) -> Bool {
        let signs = ["=", "+", "-", "@", "\t", "\u{FF1D}", "\u{FF0B}", "\u{FF0D}", "\u{FF20}"]
        return signs.contains { path.bytes.starts(with: $0.utf8) }
    }
}
