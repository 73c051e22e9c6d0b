import Foundation

/// What standard output can show.
package struct OutputStyle: Sendable, Equatable {
    package let isTerminal: Bool
    /// Whether it is a terminal that can redraw what it shows.
    package let isLive: Bool
    /// Whether it shows more than ASCII.
    package let isUnicode: Bool

    /// - Parameters:
    ///   - isTerminal: whether standard output is one.
    ///   - environment: gives the process's environment variables.
    package init(isTerminal: Bool, environment: (String) -> String?) {
        let isDumb = (environment("TERM") ?? "dumb") == "dumb"
        let wantsPlain = environment("NO_COLOR").map { !$0.isEmpty } ?? false
        self.isTerminal = isTerminal
        isLive = isTerminal && !isDumb && !wantsPlain
        // The first one that is set counts (POSIX, "Internationalization Variables").
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].lazy.compactMap(environment).first { !$0.isEmpty } ?? ""
        isUnicode = locale.uppercased().contains("UTF-8") || locale.uppercased().contains("UTF8")
    }

    package static func current() -> OutputStyle {
        OutputStyle(isTerminal: isatty(STDOUT_FILENO) == 1) { name in getenv(name).map { String(cString: $0) } }
    }
}

/// How many characters a terminal shows, which can change at any time.
package struct TerminalSize: Sendable, Equatable {
    package var columns: Int
    package var rows: Int

    package static func current() -> TerminalSize {
        var size = winsize()
        guard ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else {
            return TerminalSize(columns: 80, rows: 24)
        }
        return TerminalSize(columns: Int(size.ws_col), rows: size.ws_row > 0 ? Int(size.ws_row) : 24)
    }
}
