import CommandLineSupport

/// Redraws the timeline of the eight tasks in its place.
actor TimelineDisplay: EventDisplay {
    private let console: Console
    private var timeline: Timeline
    private var region = LiveRegion()
    private var lastTime = 0.0
    private var isDone = false

    init(_ console: Console, _ timeline: Timeline) {
        self.console = console
        self.timeline = timeline
    }

    func show(_ event: DemoEvent) async throws {
        timeline.apply(event)
        lastTime = event.milliseconds
        switch event.kind {
        case .workflowDone, .claimChecked:
            isDone = true
        case .logged(let text):
            console.write(region.clear())
            console.writeLine(text, to: .error)
        default:
            break
        }
    }

    func refresh(at milliseconds: Double) async throws {
        guard !isDone else { return }
        lastTime = max(lastTime, milliseconds)
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
        console.write(region.draw(timeline.lines(at: lastTime, columns: size.columns), size: size))
    }
}

/// Prints a line for every event of the eight tasks.
actor EightTasksLines: EventDisplay {
    private let console: Console
    private var starts: [String: Double] = [:]

    init(_ console: Console) {
        self.console = console
    }

    func show(_ event: DemoEvent) async throws {
        if case .logged(let text) = event.kind { console.writeLine(text, to: .error) }
        guard let text = text(event) else { return }
        let time = "\(Int(event.milliseconds)) ms"
        console.writeLine(String(repeating: " ", count: max(0, 8 - time.count)) + time + "  " + text)
        try await console.flush()
    }

    private func text(_ event: DemoEvent) -> String? {
        switch event.kind {
        case .taskStarted(let run):
            starts[run.messageID] = event.milliseconds
            return "\(run.actorName) started"
        case .taskFinished(let run):
            let duration = starts[run.messageID].map { " after \(Int(event.milliseconds - $0)) ms" } ?? ""
            return "\(run.actorName) finished\(duration)"
        case .taskRetried(let run, let reason): return "\(run.actorName) will be tried again: \(reason)"
        case .taskFailed(let run, let reason): return "\(run.actorName) failed: \(reason)"
        case .barrierCreated(let barrier): return "barrier \(barrier.number) created, for \(barrier.parties)"
        case .barrierOpened(let barrier): return "barrier \(barrier.number) opened"
        case .workflowDone(nil): return "workflow done"
        case .workflowDone: return "workflow failed"
        default: return nil
        }
    }
}
