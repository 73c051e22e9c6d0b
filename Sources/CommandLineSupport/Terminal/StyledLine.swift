/// One line for a terminal, in pieces of different colours. Every character takes one column.
package struct StyledLine: Sendable, Equatable, ExpressibleByStringLiteral {
    package enum Style: String, Sendable {
        case plain = ""
        case dim = "\u{1B}[2m"
        case bold = "\u{1B}[1m"
        case red = "\u{1B}[31m"
        case green = "\u{1B}[32m"
        case yellow = "\u{1B}[33m"
        case cyan = "\u{1B}[36m"
    }

    private struct Piece: Sendable, Equatable {
        var text: String
        var style: Style
    }

    private static let reset = "\u{1B}[0m"
    private var pieces: [Piece] = []

    package init(_ text: String = "", _ style: Style = .plain) {
        append(text, style)
    }

    package init(stringLiteral text: String) {
        self.init(text)
    }

    package mutating func append(_ text: String, _ style: Style = .plain) {
        if !text.isEmpty { pieces.append(Piece(text: text, style: style)) }
    }

    /// The line without colours.
    package var text: String { pieces.map(\.text).joined() }

    /// The line as a terminal gets it, cut off after a number of columns.
    package func rendered(columns: Int) -> String {
        var left = columns
        var rendered = ""
        for piece in pieces where left > 0 {
            // What looks like one character can be made of any number of scalars.
            let scalars = piece.text.unicodeScalars.prefix(left)
            left -= scalars.count
            let text = String(String.UnicodeScalarView(scalars))
            rendered += piece.style == .plain ? text : piece.style.rawValue + text + Self.reset
        }
        return rendered
    }
}
