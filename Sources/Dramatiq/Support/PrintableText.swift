/// Makes texts that come from elsewhere, such as what a message holds or the names of files, safe to print and to log: a
/// text is one line, shows nothing but itself, and is no longer than somebody wants to read.
package enum PrintableText {
    /// As much of an error's reason or of a value as goes to a log, in bytes.
    package static let logLimit = 4096
    /// As much of the reason as is kept with a dead letter, in bytes.
    package static let reasonLimit = 8192

    /// Escapes what would move the cursor, colour the terminal, break the line or turn its direction, as in `\u{1B}`.
    ///
    /// - Parameter limit: how many bytes the result has at most; what is left out is shown by an ellipsis after them.
    ///   Defaults to all.
    package static func escape(_ text: String, limit: Int = .max) -> String {
        if text.utf8.count <= limit, text.utf8.allSatisfy({ (0x20...0x7E).contains($0) }) { return text }
        return replace(in: text, limit: limit) { $0.escaped(asASCII: true) }
    }

    /// Escapes the same in a text of JSON, as JSON does, so that it stays the same JSON: `\u001b`. White space between its
    /// values becomes spaces, so that it is one line.
    package static func escape(json text: String) -> String {
        if text.utf8.allSatisfy({ (0x20...0x7E).contains($0) }) { return text }
        return replace(in: text, limit: .max) { scalar in
            // Within its texts, JSON has these escaped already.
            if scalar.value < 0x20 { return " " }
            return scalar.utf16.map { unit in
                let digits = String(unit, radix: 16)
                return "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            }.joined()
        }
    }

    private static func replace(
        in text: String,
        limit: Int,
        _ replacement: (Unicode.Scalar) -> String
    ) -> String {
        var printable = ""
        var room = limit
        for scalar in text.unicodeScalars {
            let piece = isUnsafe(scalar) ? replacement(scalar) : String(scalar)
            room -= piece.utf8.count
            guard room >= 0 else { return printable + "…" }
            printable += piece
        }
        return printable
    }

    private static func isUnsafe(_ scalar: Unicode.Scalar) -> Bool {
        if scalar.value < 0x7F { return scalar.value < 0x20 }
        return switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator: true
        default: false
        }
    }
}
