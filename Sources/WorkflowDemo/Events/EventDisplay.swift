import CommandLineSupport

/// Shows events to whoever started the demo.
protocol EventDisplay: Actor {
    func show(_ event: DemoEvent) async throws
    /// Some time has passed.
    func refresh(at milliseconds: Double) async throws
    /// No more events follow.
    func finish() async throws
}

extension EventDisplay {
    func refresh(at milliseconds: Double) async throws {}
    func finish() async throws {}
}

extension EventRecorder {
    /// Shows the events on a display until the last one or the task's cancellation.
    func show(on display: any EventDisplay) async throws {
        let result = await withTaskGroup(of: Void.self) { group -> Result<Void, any Error> in
            group.addTask {
                while !Task.isCancelled {
                    try? await Task.sleep(for: .milliseconds(50))
                    // What can't be shown here can't be shown below either, where the error has a reader.
                    try? await display.refresh(at: self.elapsedMilliseconds)
                }
            }
            defer { group.cancelAll() }
            do {
                for await event in self.events { try await display.show(event) }
                return .success(())
            } catch {
                return .failure(error)
            }
        }
        try await display.finish()
        try result.get()
    }
}

/// One JSON object per event and line.
actor JSONDisplay: EventDisplay {
    private let console: Console
    private let part: Int

    init(_ console: Console, part: Int) {
        self.console = console
        self.part = part
    }

    func show(_ event: DemoEvent) async throws {
        if case .logged(let text) = event.kind { console.writeLine(text, to: .error) }
        if let line = event.jsonLine(part: part) {
            console.writeLine(line)
            try await console.flush()
        }
    }
}
