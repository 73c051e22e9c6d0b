import CommandLineSupport

/// A list of files with their hashes, in the format of `sha256sum`.
struct Manifest: Sendable, Equatable {
    struct Entry: Sendable, Equatable {
        let digest: SHA256.Digest
        let path: FilePath
    }

    /// Why bytes are no manifest.
    struct FormatError: Error, CustomStringConvertible {
        let line: Int
        let reason: String

        var description: String { "Line \(line) of the manifest is malformed: \(reason)" }
    }

    var entries: [Entry]

    init(_ entries: [Entry]) {
        self.entries = entries
    }

    // MARK: Writing

    /// The manifest as `sha256sum -c` reads it.
    func encoded() -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(entries.count * 128)
        for entry in entries {
            let name = EscapedName(entry.path)
            // A backslash before the hash says that the name is escaped.
            if name.isEscaped { bytes.append(UInt8(ascii: "\\")) }
            bytes += Array(entry.digest.description.utf8) + Array("  ".utf8) + name.bytes + [UInt8(ascii: "\n")]
        }
        return bytes
    }

    // MARK: Reading

    /// - Throws: ``FormatError``.
    init(parsing bytes: [UInt8]) throws(FormatError) {
        guard bytes.isEmpty || bytes.last == UInt8(ascii: "\n") else {
            throw FormatError(line: bytes.split(separator: UInt8(ascii: "\n")).count, reason: "it is cut off")
        }
        entries = []
        var rest = bytes[...]
        while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
            entries.append(try Self.entry(rest[..<end], line: entries.count + 1))
            rest = rest[(end + 1)...]
        }
    }

    private static func entry(_ line: ArraySlice<UInt8>, line number: Int) throws(FormatError) -> Entry {
        let isEscaped = line.first == UInt8(ascii: "\\")
        let line = line.dropFirst(isEscaped ? 1 : 0)
        let hexadecimal = line.prefix(64)
        guard hexadecimal.count == 64, let digest = Hexadecimal.bytes(hexadecimal) else {
            throw FormatError(line: number, reason: "it doesn't start with a hash")
        }
        guard line.dropFirst(64).starts(with: "  ".utf8), line.count > 66 else {
            throw FormatError(line: number, reason: "no name follows the hash")
        }
        let name = EscapedName(bytes: Array(line.dropFirst(66)), isEscaped: isEscaped)
        guard let path = name.path else { throw FormatError(line: number, reason: "its name has an unknown escape") }
        return Entry(digest: SHA256.Digest(bytes: digest), path: path)
    }
}

/// The name of a file in a line: with `\\`, `\n` and `\r` for what would break the line.
struct EscapedName {
    let bytes: [UInt8]
    let isEscaped: Bool

    private static let escapes: [UInt8: UInt8] = [
        UInt8(ascii: "\\"): UInt8(ascii: "\\"),
        UInt8(ascii: "\n"): UInt8(ascii: "n"),
        UInt8(ascii: "\r"): UInt8(ascii: "r"),
    ]

    init(bytes: [UInt8], isEscaped: Bool) {
        self.bytes = bytes
        self.isEscaped = isEscaped
    }

    init(_ path: FilePath) {
        // A file that is called "-" would be taken for standard input.
        let name = path == FilePath("-") ? FilePath("./-").bytes : path.bytes
        isEscaped = name.contains { Self.escapes[$0] != nil }
        bytes =
            isEscaped ? name.flatMap { byte in Self.escapes[byte].map { [UInt8(ascii: "\\"), $0] } ?? [byte] } : name
    }

    /// The path that the name stands for; `nil` if it is not escaped properly.
    var path: FilePath? {
        var name = bytes
        if isEscaped {
            name = []
            var iterator = bytes.makeIterator()
            while let byte = iterator.next() {
                guard byte == UInt8(ascii: "\\") else {
                    name.append(byte)
                    continue
                }
                guard let code = iterator.next(), let match = Self.escapes.first(where: { $0.value == code }) else {
                    return nil
                }
                name.append(match.key)
            }
        }
        return name == FilePath("./-").bytes ? FilePath("-") : FilePath(bytes: name)
    }
}
