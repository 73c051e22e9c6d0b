import CommandLineSupport

/// The picture of a run: a bar for every task over a common scale of time, and marks where barriers opened.
struct Timeline {
    private enum State {
        case waiting
        case running(start: Double)
        case finished(start: Double, end: Double)
        case failed(start: Double, end: Double)
    }

    private static let barrierLabel = "barriers"
    /// A bar narrower than this says nothing.
    private static let leastBarColumns = 8

    private let names: [String]
    private let glyphs: Glyphs
    private let expectedMilliseconds: Double
    private var states: [String: State] = [:]
    private var openings: [Double] = []

    /// - Parameters:
    ///   - names: the tasks from top to bottom.
    ///   - expectedMilliseconds: the time that the scale shows at first; it grows if that is not enough.
    init(names: [String], expectedMilliseconds: Double, isUnicode: Bool) {
        self.names = names
        self.expectedMilliseconds = expectedMilliseconds
        glyphs = isUnicode ? .unicode : .ascii
    }

    mutating func apply(_ event: DemoEvent) {
        let now = event.milliseconds
        switch event.kind {
        case .taskStarted(let run): states[run.actorName] = .running(start: now)
        case .taskFinished(let run): states[run.actorName] = .finished(start: start(of: run, now), end: now)
        case .taskFailed(let run, _): states[run.actorName] = .failed(start: start(of: run, now), end: now)
        case .barrierOpened: openings.append(now)
        default: break
        }
    }

    private func start(of run: TaskRun, _ now: Double) -> Double {
        if case .running(let start)? = states[run.actorName] { return start }
        return now
    }

    /// The picture at a moment, for a terminal of some width. No line is wider.
    func lines(at now: Double, columns: Int) -> [StyledLine] {
        let labelColumns = 1 + ([Self.barrierLabel] + names).reduce(0) { max($0, $1.count) }
        let timeColumns = 9
        let barColumns = columns - labelColumns - timeColumns
        guard barColumns >= Self.leastBarColumns else { return names.map { narrowLine($0, now) } }
        let scale = Scale(milliseconds: max(expectedMilliseconds, now), columns: barColumns)
        var lines = names.map { name in
            var line = StyledLine(Self.padded(name, labelColumns), .bold)
            draw(states[name] ?? .waiting, now, scale, into: &line)
            return line
        }
        lines.append(barrierLine(labelColumns, scale))
        return lines
    }

    private func draw(_ state: State, _ now: Double, _ scale: Scale, into line: inout StyledLine) {
        let (start, end, bar, style): (Double, Double, Character, StyledLine.Style)
        switch state {
        case .waiting: return line.append(String(repeating: glyphs.nothing, count: scale.columns), .dim)
        case .running(let begin): (start, end, bar, style) = (begin, now, glyphs.running, .yellow)
        case .finished(let begin, let finish): (start, end, bar, style) = (begin, finish, glyphs.finished, .green)
        case .failed(let begin, let finish): (start, end, bar, style) = (begin, finish, glyphs.finished, .red)
        }
        let columns = scale.columns(from: start, to: end)
        line.append(String(repeating: glyphs.nothing, count: columns.lowerBound), .dim)
        line.append(String(repeating: bar, count: columns.count), style)
        line.append(String(repeating: glyphs.nothing, count: scale.columns - columns.upperBound), .dim)
        line.append(Self.time(end - start), style)
    }

    private func barrierLine(_ labelColumns: Int, _ scale: Scale) -> StyledLine {
        let marks = Set(openings.map { scale.column(at: $0) })
        let text = String((0..<scale.columns).map { marks.contains($0) ? glyphs.opening : " " })
        var line = StyledLine(Self.padded(Self.barrierLabel, labelColumns), .dim)
        line.append(text, .cyan)
        line.append(openings.isEmpty ? "" : " \(openings.count) opened", .cyan)
        return line
    }

    /// What fits where no bar does.
    private func narrowLine(_ name: String, _ now: Double) -> StyledLine {
        var line = StyledLine(name, .bold)
        switch states[name] ?? .waiting {
        case .waiting: break
        case .running(let start): line.append(Self.time(now - start), .yellow)
        case .finished(let start, let end): line.append(Self.time(end - start), .green)
        case .failed: line.append(" failed", .red)
        }
        return line
    }

    private static func padded(_ text: String, _ columns: Int) -> String {
        text + String(repeating: " ", count: max(0, columns - text.count))
    }

    private static func time(_ milliseconds: Double) -> String {
        let text = "\(Int(max(0, milliseconds.rounded()))) ms"
        return String(repeating: " ", count: max(1, 9 - text.count)) + text
    }
}

extension Timeline {
    private struct Glyphs {
        let running: Character
        let finished: Character
        let nothing: Character
        let opening: Character

        static let unicode = Glyphs(running: "▓", finished: "█", nothing: "·", opening: "▲")
        static let ascii = Glyphs(running: "=", finished: "#", nothing: ".", opening: "^")
    }

    /// Where on the screen a time is.
    private struct Scale {
        let milliseconds: Double
        let columns: Int

        func column(at time: Double) -> Int {
            min(columns - 1, max(0, Int(time / milliseconds * Double(columns))))
        }

        /// At least one column, so that what is short can be seen.
        func columns(from start: Double, to end: Double) -> Range<Int> {
            let first = column(at: start)
            // Rounded down like the beginning, so that a task and the one after it don't share a column.
            return first..<max(first + 1, min(columns, Int(end / milliseconds * Double(columns))))
        }
    }
}
