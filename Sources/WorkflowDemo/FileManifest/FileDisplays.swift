import CommandLineSupport
import Dramatiq

/// What both displays say about single events.
private func message(_ event: DemoEvent) -> String? {
    switch event.kind {
    case .fileSkipped(let path, let reason): "skipped '\(path)': \(reason)"
    case .taskRetried(_, let reason): "trying again: \(PrintableText.escape(reason))"
    // What failed for good is in the end among the errors.
    default: nil
    }
}

/// Redraws bars in their place, and prints above them what should be read.
actor FileProgressDisplay: EventDisplay {
    private let console: Console
    private var progress: FileProgress
    private var region = LiveRegion()

    init(_ console: Console, _ progress: FileProgress) {
        self.console = console
        self.progress = progress
    }

    func show(_ event: DemoEvent) async throws {
        progress.apply(event)
        if case .logged(let text) = event.kind {
            console.write(region.clear())
            console.writeLine(text, to: .error)
        } else if let text = message(event) {
            console.write(region.clear() + text + "\n")
        }
    }

    func refresh(at milliseconds: Double) async throws {
        draw()
        try await console.flush()
    }

    func finish() async throws {
        draw()
        console.write(region.finish())
        try await console.flush()
    }

    private func draw() {
        let size = TerminalSize.current()
        console.write(region.draw(progress.lines(columns: size.columns), size: size))
    }
}

/// Prints what should be read, and now and then how far the work is.
actor FileProgressLines: EventDisplay {
    private static let pause = 1000.0

    private let console: Console
    private var progress = FileProgress(isUnicode: false)
    private var lastLine = 0.0

    init(_ console: Console) {
        self.console = console
    }

    func show(_ event: DemoEvent) async throws {
        progress.apply(event)
        switch event.kind {
        case .logged(let text): console.writeLine(text, to: .error)
        case .filesFound(let count, let bytes):
            write("found \(count) \(count == 1 ? "file" : "files"), \(bytes) bytes", event.milliseconds)
        case .manifestWritten: write("manifest written, now checking it against the files", event.milliseconds)
        default:
            if let text = message(event) {
                write(text, event.milliseconds)
            } else if event.milliseconds - lastLine >= Self.pause, progress.total != nil {
                lastLine = event.milliseconds
                write(progress.summary, event.milliseconds)
            }
        }
        try await console.flush()
    }

    func finish() async throws {
        try await console.flush()
    }

    private func write(_ text: String, _ milliseconds: Double) {
        let time = "\(Int(milliseconds)) ms"
        console.writeLine(String(repeating: " ", count: max(0, 8 - time.count)) + time + "  " + text)
    }
}
