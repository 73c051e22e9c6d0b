#if Plugins
    import CommandLineSupport
    import DramatiqDedupStorage
    import Synchronization

    /// How far a copy is: for the report at its end, and as a bar in the lowest line of a terminal.
    final class CopyProgress: Sendable {
        private static let barWidth = 30
        /// Often enough to be seen moving.
        private static let interval = Duration.milliseconds(100)

        private struct State {
            var report = StoreCopyReport()
            var total = 0
            var region = LiveRegion()
            var lastDrawn: ContinuousClock.Instant?
        }

        private let console: Console
        private let style: OutputStyle?
        private let state = Mutex(State())

        /// - Parameter style: what standard output can show; `nil` for no progress.
        init(console: Console, style: OutputStyle?) {
            self.console = console
            self.style = style
        }

        /// Whether somebody sees it.
        var isShown: Bool { style?.isLive == true }
        /// What was done so far.
        var report: StoreCopyReport { state.withLock(\.report) }

        /// - Parameter total: how many contents there are.
        func begin(of total: Int) {
            state.withLock { $0.total = total }
            show(report)
        }

        func show(_ report: StoreCopyReport) {
            let now = ContinuousClock.now
            state.withLock { state in
                state.report = report
                guard isShown, state.lastDrawn.map({ now - $0 >= Self.interval }) ?? true else { return }
                state.lastDrawn = now
                let line = Self.line(report, of: state.total, isUnicode: style?.isUnicode == true)
                console.write(state.region.draw([line], size: .current()))
            }
        }

        /// Takes the bar away.
        func finish() {
            state.withLock { state in
                guard state.lastDrawn != nil else { return }
                console.write(state.region.clear() + state.region.finish())
            }
        }

        static func line(_ report: StoreCopyReport, of total: Int, isUnicode: Bool) -> StyledLine {
            // What came meanwhile is copied, too.
            let total = max(total, report.count)
            let filled = total == 0 ? barWidth : report.count * barWidth / total
            let (full, empty) = isUnicode ? ("█", "░") : ("#", "-")
            var line = StyledLine(String(repeating: full, count: filled), .cyan)
            line.append(String(repeating: empty, count: barWidth - filled), .dim)
            line.append(" \(report.count) of \(total), \(Readable.size(Double(report.copiedBytes))) copied")
            if report.failureCount > 0 { line.append(", \(report.failureCount) failed", .red) }
            return line
        }
    }
#endif
