/// The lowest lines of a terminal, drawn again and again in their place.
///
/// Makes the texts that do so and knows what is drawn; writes nothing itself. A line never takes two rows, so that the
/// way back to the first one is known: it is cut off at the terminal's width, and the terminal is told not to wrap
/// lines, for the case that it was made narrower since.
package struct LiveRegion {
    private static let hideCursor = "\u{1B}[?25l"
    private static let showCursor = "\u{1B}[?25h"
    private static let stopWrapping = "\u{1B}[?7l"
    private static let startWrapping = "\u{1B}[?7h"
    private static let clearToEndOfLine = "\u{1B}[K"
    private static let clearBelow = "\u{1B}[J"

    private var rows = 0
    private var isCursorHidden = false

    package init() {}

    /// Replaces what is drawn.
    package mutating func draw(_ lines: [StyledLine], size: TerminalSize) -> String {
        // The row of the cursor, below the last line, has to fit as well.
        let visible = lines.prefix(max(0, size.rows - 1))
        var text = isCursorHidden ? "" : Self.hideCursor
        text += Self.stopWrapping + goToStart
        for line in visible {
            // Cleared first: behind a line of full width the cursor stands on its last character.
            text += Self.clearToEndOfLine + line.rendered(columns: size.columns) + "\n"
        }
        text += Self.clearBelow + Self.startWrapping
        rows = visible.count
        isCursorHidden = true
        return text
    }

    /// Removes what is drawn, to make room for lines that stay.
    package mutating func clear() -> String {
        defer { rows = 0 }
        return goToStart + Self.clearBelow
    }

    /// Gives the cursor back. What is drawn stays.
    package mutating func finish() -> String {
        defer { self = LiveRegion() }
        return isCursorHidden ? Self.showCursor : ""
    }

    private var goToStart: String {
        rows > 0 ? "\r\u{1B}[\(rows)A" : "\r"
    }
}
