import Foundation

extension MeasuredRows {
    /// A chart of what is left of plain JSON, as SVG. Its colours can be told from a light and from a dark page.
    var chart: String { Chart(groups: bySample).svg }
}

/// Bars side by side, in groups.
private struct Chart {
    private static let width = 860
    private static let labelWidth = 170
    private static let barWidth = 400
    /// What takes more than this many times the bytes of plain JSON is drawn no longer.
    private static let longestBar = 1.3
    private static let barHeight = 13
    private static let barPitch = 17
    private static let groupGap = 22
    private static let margin = 24
    private static let titleHeight = 56

    /// Middle tones: at least 3:1 to white and to GitHub's dark page, texts 4:1.
    private static let textColor = "#768390"
    private static let gridColor = "#76839055"
    private static let plainColor = "#8b949e"
    private static let barColors = ["#2f81d6", "#c4762b", "#3f9a5f", "#a371c9", "#c25a6b", "#2b9aa0"]

    let groups: [(sample: String, rows: [MeasuredRow])]

    private var encoders: [String] {
        var names: [String] = []
        for row in groups.flatMap(\.rows) where !names.contains(row.encoder) { names.append(row.encoder) }
        return names
    }

    var svg: String {
        var body = ""
        var y = Self.titleHeight + Self.margin
        for (sample, rows) in groups {
            body += group(sample, rows, &y)
            y += Self.groupGap
        }
        let height = y - Self.groupGap + Self.margin
        return """
            <svg xmlns="http://www.w3.org/2000/svg" width="\(Self.width)" height="\(height)" \
            viewBox="0 0 \(Self.width) \(height)" role="img" \
            font-family="system-ui, 'Helvetica Neue', Helvetica, Arial, sans-serif" font-size="12" \
            fill="\(Self.textColor)">
            <title>Bytes of messages, compared with plain JSON</title>
            \(heading)\(grid(height))\(body)</svg>

            """
    }

    private var heading: String {
        var x = Self.margin
        var text = self.text("Bytes of all messages, stored ones included; plain JSON is 100 %", x, 20, size: 15)
        for (index, name) in encoders.enumerated() {
            text += "<rect x=\"\(x)\" y=\"34\" width=\"12\" height=\"12\" rx=\"2\" fill=\"\(color(index))\"/>\n"
            text += self.text(name, x + 18, 44)
            x += 40 + name.count * 8
        }
        return text
    }

    private func grid(_ height: Int) -> String {
        [0, 25, 50, 75, 100].map { percent in
            let x = Self.margin + Self.labelWidth + Self.barWidth * percent / 100
            let line =
                "<line x1=\"\(x)\" y1=\"\(Self.titleHeight + 12)\" x2=\"\(x)\" y2=\"\(height - Self.margin)\" "
                + "stroke=\"\(Self.gridColor)\"/>\n"
            return line + text("\(percent) %", x, Self.titleHeight + 6, anchor: "middle")
        }.joined()
    }

    private func group(_ sample: String, _ rows: [MeasuredRow], _ y: inout Int) -> String {
        let plain = rows.first.map { Readable.size(Double($0.plainTotal)) } ?? ""
        let count = rows.first?.tally.count ?? 0
        var body = text("\(sample): \(count) messages, \(plain)", Self.margin, y + 12, weight: 600)
        y += 20
        let left = Self.margin + Self.labelWidth
        for row in rows {
            let length = max(1, min(Self.longestBar, row.ratio) * Double(Self.barWidth))
            let color = color(encoders.firstIndex(of: row.encoder) ?? 0)
            body += text("\(row.storage) · \(row.encoder)", left - 8, y + 11, anchor: "end")
            body +=
                "<rect x=\"\(left)\" y=\"\(y)\" width=\"\(String(format: "%.1f", length))\" "
                + "height=\"\(Self.barHeight)\" rx=\"2\" fill=\"\(color)\"/>\n"
            let value = "\(Readable.ratio(row.ratio)), \(Readable.size(Double(row.tally.total + row.stored)))"
            body += text(value, left + Int(length) + 8, y + 11)
            y += Self.barPitch
        }
        return body
    }

    private func color(_ index: Int) -> String {
        index == 0 ? Self.plainColor : Self.barColors[(index - 1) % Self.barColors.count]
    }

    private func text(
        _ text: String,
        _ x: Int,
        _ y: Int,
        size: Int? = nil,
        anchor: String? = nil,
        weight: Int? = nil
    ) -> String {
        var attributes = "x=\"\(x)\" y=\"\(y)\""
        if let size { attributes += " font-size=\"\(size)\"" }
        if let anchor { attributes += " text-anchor=\"\(anchor)\"" }
        if let weight { attributes += " font-weight=\"\(weight)\"" }
        return "<text \(attributes)>\(Self.escaped(text))</text>\n"
    }

    private static func escaped(_ text: String) -> String {
        text.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(">", with: "&gt;")
    }
}
