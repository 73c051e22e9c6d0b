/// Rows of text whose columns stand below each other. The first row is the heading.
struct TextTable {
    private static let gap = "  "
    private var rows: [[String]]

    init(heading: [String]) {
        rows = [heading]
    }

    mutating func add(_ row: [String]) {
        rows.append(row)
    }

    /// The lines; without any row but the heading there are none.
    var lines: [String] {
        guard rows.count > 1 else { return [] }
        let count = rows.map(\.count).max() ?? 0
        let widths = (0..<count).map { column in
            rows.map { column < $0.count ? $0[column].count : 0 }.max() ?? 0
        }
        return rows.map { row in
            var line = ""
            for (column, text) in row.enumerated() {
                line += text
                if column < row.count - 1 {
                    line += String(repeating: " ", count: widths[column] - text.count) + Self.gap
                }
            }
            return line
        }
    }
}
