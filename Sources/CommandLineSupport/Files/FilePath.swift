import Dramatiq

/// A path as the system knows it: bytes.
///
/// They need not be UTF-8, and two that look the same may differ (`é` as one character or as two), which a `String`
/// would take for equal.
package struct FilePath: Hashable, Comparable, Sendable {
    package let bytes: [UInt8]

    package init(bytes: some Sequence<UInt8>) {
        self.bytes = Array(bytes)
    }

    package init(_ text: String) {
        bytes = Array(text.utf8)
    }

    /// In the order of the bytes, as `LC_ALL=C sort` has it.
    package static func < (left: FilePath, right: FilePath) -> Bool {
        left.bytes.lexicographicallyPrecedes(right.bytes)
    }

    /// A path below this one. An empty path is the place where relative ones start.
    package func appending(_ path: FilePath) -> FilePath {
        if bytes.isEmpty { return path }
        if path.bytes.isEmpty { return self }
        let separator = bytes.last == UInt8(ascii: "/") ? [] : [UInt8(ascii: "/")]
        return FilePath(bytes: bytes + separator + path.bytes)
    }

    /// This path with a text at its end.
    package func appending(suffix: String) -> FilePath {
        FilePath(bytes: bytes + Array(suffix.utf8))
    }

    package var isAbsolute: Bool { bytes.first == UInt8(ascii: "/") }

    /// The last component.
    package var name: FilePath {
        FilePath(bytes: bytes.suffix(from: bytes.lastIndex(of: UInt8(ascii: "/")).map { $0 + 1 } ?? 0))
    }

    /// The directory in which the path is; `.` for a bare name.
    package var parent: FilePath {
        guard let slash = bytes.lastIndex(of: UInt8(ascii: "/")) else { return FilePath(".") }
        return slash == 0 ? FilePath("/") : FilePath(bytes: bytes.prefix(slash))
    }

    /// Calls a closure with the path as C wants it.
    package func withCString<Result>(_ body: (UnsafePointer<CChar>) throws -> Result) rethrows -> Result {
        let characters = bytes.map { CChar(bitPattern: $0) } + [0]
        return try characters.withUnsafeBufferPointer { buffer in
            guard let address = buffer.baseAddress else { return try "".withCString(body) }
            return try body(address)
        }
    }
}

extension FilePath {
    /// The path as the argument of a message: its text, or if that is not UTF-8 a NUL, which no path contains, and the
    /// bytes in hexadecimal.
    package var argument: String {
        String(validating: bytes, as: UTF8.self) ?? "\0" + Hexadecimal.text(bytes)
    }

    /// Reads what ``argument`` made; `nil` if it made no such thing.
    package init?(argument: String) {
        guard argument.utf8.first == 0 else {
            self.init(argument)
            return
        }
        guard let bytes = Hexadecimal.bytes(argument.utf8.dropFirst()) else { return nil }
        self.init(bytes: bytes)
    }
}

extension FilePath: CustomStringConvertible {
    /// How messages call what a person has named: in quotes, unless it is a stream.
    package var named: String {
        switch self {
        case .standardInput: "standard input"
        case .standardOutput: "standard output"
        default: "'\(self)'"
        }
    }

    /// The path for a person to read: nothing in it moves the cursor or colours the terminal.
    package var description: String {
        PrintableText.escape(String(decoding: bytes, as: UTF8.self))
    }
}
