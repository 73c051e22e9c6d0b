import CommandLineSupport

/// How far the work on the files is.
struct FileProgress {
    private static let labels = ["checksums", "sizes", "verified"]
    private static let leastBarColumns = 8

    private(set) var total: Int?
    private var counts = [0, 0, 0]
    private let isUnicode: Bool

    init(isUnicode: Bool) {
        self.isUnicode = isUnicode
    }

    mutating func apply(_ event: DemoEvent) {
        switch event.kind {
        case .filesFound(let count, _): total = count
        case .taskFinished(let run) where run.actorName == FileTasks.Name.checksum: counts[0] += 1
        case .taskFinished(let run) where run.actorName == FileTasks.Name.compressedSize: counts[1] += 1
        case .fileVerified: counts[2] += 1
        default: break
        }
    }

    /// In one line: `checksums 12, sizes 9, verified 0 of 20`.
    var summary: String {
        let parts = zip(Self.labels, counts).map { "\($0) \($1)" }
        return parts.joined(separator: ", ") + (total.map { " of \($0)" } ?? "")
    }

    /// A bar for each kind of work, for a terminal of some width. No line is wider.
    func lines(columns: Int) -> [StyledLine] {
        guard let total else { return [StyledLine("looking for files", .dim)] }
        let labelColumns = 1 + Self.labels.reduce(0) { max($0, $1.count) }
        return zip(Self.labels, counts).map { label, count in
            var line = StyledLine(label + String(repeating: " ", count: labelColumns - label.count), .bold)
            let figures = " \(count)/\(total)"
            let barColumns = columns - labelColumns - figures.count - 1
            if barColumns >= Self.leastBarColumns {
                let done = total == 0 ? barColumns : min(barColumns, count * barColumns / total)
                line.append(String(repeating: isUnicode ? "█" : "#", count: done), .green)
                line.append(String(repeating: isUnicode ? "·" : ".", count: barColumns - done), .dim)
            }
            line.append(figures)
            return line
        }
    }
}
