import CommandLineSupport
import DramatiqWorkflow
import UnixSignals

/// Shows the parts of the demo in the form that suits standard output.
struct DemoPresentation: Sendable {
    let console: Console
    let style: OutputStyle
    /// Whether standard output is for a program and gets events only.
    let isJSON: Bool
    /// The signals that end the demo early.
    var signals: [UnixSignal] = [.sigint, .sigterm]

    func run(_ demo: EightTasksDemo) async throws {
        write("Part 1: eight tasks in one workflow")
        write()
        write(WorkflowDiagram(demo.tasks.definition.node).rendered(as: style.isUnicode ? .text : .ascii))
        write()
        let recorder = EventRecorder(keepsHistory: true)
        let claims = try await show(recorder, on: display(of: demo)) {
            try await demo.run(recorder: recorder, endingOn: signals)
        }
        write()
        for claim in claims { write(Self.text(claim)) }
        write()
        write("Part 1 done")
    }

    func run(_ demo: FileManifestDemo) async throws {
        write("Part 2: a workflow over the files in \(demo.places.input)")
        write()
        let recorder = EventRecorder()
        let summary = try await show(recorder, on: display(of: demo)) {
            try await demo.run(recorder: recorder, endingOn: signals)
        }
        write()
        for line in Self.lines(summary, demo.places) { write(line) }
        if summary.skippedCount > 0 { throw DemoFailure.filesSkipped(count: summary.skippedCount) }
        write()
        write("Part 2 done")
    }

    /// A line between the parts.
    func separate() {
        write()
    }

    private func write(_ line: String = "") {
        if !isJSON { console.writeLine(line) }
    }

    /// Shows events while something runs, and whether that went well.
    private func show<Value: Sendable>(
        _ recorder: EventRecorder,
        on display: any EventDisplay,
        _ body: () async throws -> Value
    ) async throws -> Value {
        async let shown: Void = recorder.show(on: display)
        let result: Result<Value, any Error>
        do {
            result = .success(try await body())
            recorder.record(.workflowDone(failure: nil))
        } catch {
            result = .failure(error)
            if error is CancellationError { console.giveUp(after: .seconds(1)) }
            recorder.record(.workflowDone(failure: error is CancellationError ? "Interrupted" : "\(error)"))
        }
        recorder.finish()
        try await shown
        return try result.get()
    }

    private func display(of demo: EightTasksDemo) -> any EventDisplay {
        if isJSON { return JSONDisplay(console, part: 1) }
        // Where the picture doesn't fit it could not be redrawn in its place.
        guard style.isLive, TerminalSize.current().rows > EightTasks.names.count + 1 else {
            return EightTasksLines(console)
        }
        return TimelineDisplay(
            console,
            Timeline(
                names: EightTasks.names,
                expectedMilliseconds: demo.tasks.expectedMilliseconds,
                isUnicode: style.isUnicode
            ))
    }

    private func display(of demo: FileManifestDemo) -> any EventDisplay {
        if isJSON { return JSONDisplay(console, part: 2) }
        guard style.isLive else { return FileProgressLines(console) }
        return FileProgressDisplay(console, FileProgress(isUnicode: style.isUnicode))
    }

    private static func text(_ check: ClaimCheck) -> String {
        switch check.verdict {
        case .holds: "  ok       \(check.claim)"
        case .fails(let reason): "  failed   \(check.claim): \(reason)"
        case .notApplicable(let reason): "  skipped  \(check.claim): \(reason)"
        }
    }

    private static func lines(_ summary: FileManifestDemo.Summary, _ places: FilePlaces) -> [String] {
        let files = summary.fileCount == 1 ? "1 file" : "\(summary.fileCount) files"
        let share = summary.size > 0 ? " (\(summary.compressedSize * 100 / summary.size) %)" : ""
        return [
            "\(files), \(summary.size) bytes, \(summary.compressedSize) after zlib\(share)",
            "Manifest: \(places.manifest)",
            "Sizes:    \(places.sizes)",
            summary.fileCount == 0
                ? "It is empty, which sha256sum -c doesn't accept, so there is nothing to check."
                : "The manifest was read back and matches the files. Check it yourself:\n  \(places.checkCommand)",
        ]
    }
}
