import Foundation

/// Results as lines of text in columns.
enum ResultTable {
    private static let widths = [34, 22, 16, 8, 18, 14, 10]

    static func heading(_ area: String) -> String {
        let titles = ["what", "who", "per second", "±", "ours/theirs", "aim", "allocs"]
        return "\(area)\n" + line(titles) + "\n" + line(widths.map { String(repeating: "─", count: $0 - 2) })
    }

    static func rows(_ result: ComparisonResult) -> String {
        result.entries.enumerated().map { index, entry in
            line([
                index == 0 ? "\(result.name) (\(result.unit))" : "",
                entry.name,
                number(entry.rate.median),
                "\(Int((entry.rate.relativeWidth * 100).rounded())) %",
                entry.ratio.map { "\(number($0.median))× (\(number($0.lower))–\(number($0.upper)))" } ?? "",
                entry.aim.map { "\(number($0))× \(mark(entry.isAimReached))" } ?? "",
                entry.allocationsPerUnit.map(number) ?? "",
            ])
        }.joined(separator: "\n")
    }

    static func row(_ figure: Figure) -> String {
        let limit = figure.limit.map { "≤ \(number($0)) \(mark(figure.isWithinLimit))" } ?? ""
        return line([figure.name, "", "\(number(figure.value)) \(figure.unit)", "", "", limit])
    }

    private static func mark(_ isReached: Bool?) -> String {
        isReached == true ? "reached" : "missed"
    }

    /// Three digits that count, with thousands set apart.
    static func number(_ value: Double) -> String {
        guard value.isFinite else { return "–" }
        if value.magnitude < 100 { return String(format: "%.3g", value) }
        let digits = String(Int(value.rounded()))
        var grouped = ""
        for (index, digit) in digits.enumerated() {
            if index > 0, (digits.count - index).isMultiple(of: 3) { grouped += " " }
            grouped.append(digit)
        }
        return grouped
    }

    private static func line(_ cells: [String]) -> String {
        var line = ""
        for (cell, width) in zip(cells, widths) {
            line += cell + String(repeating: " ", count: max(1, width - cell.count))
        }
        while line.last == " " { line.removeLast() }
        return line
    }
}
