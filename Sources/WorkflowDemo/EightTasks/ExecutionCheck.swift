/// Compares the events of a run with what the workflow's definition promises.
struct ExecutionCheck {
    private struct Span {
        var starts: [Double] = []
        var ends: [Double] = []
    }

    private let precedence: Precedence
    private var spans: [String: Span] = [:]
    /// The tasks in the order in which they ended.
    private var endings: [String] = []
    private var createdBarriers = 0
    private var openedBarriers = 0

    init(_ precedence: Precedence, _ events: [DemoEvent]) {
        self.precedence = precedence
        for event in events {
            switch event.kind {
            case .taskStarted(let run):
                spans[run.actorName, default: Span()].starts.append(event.milliseconds)
            case .taskFinished(let run):
                spans[run.actorName, default: Span()].ends.append(event.milliseconds)
                endings.append(run.actorName)
            case .barrierCreated: createdBarriers += 1
            case .barrierOpened: openedBarriers += 1
            default: break
            }
        }
    }

    /// Looks at everything that is claimed.
    ///
    /// - Parameters:
    ///   - last: the task that runs last.
    ///   - sideBySide: tasks that overlap.
    ///   - concurrency: how many tasks the worker ran at the same time.
    func claims(last: String, sideBySide: Set<String>, concurrency: Int) -> [ClaimCheck] {
        let together = sideBySide.sorted().joined(separator: ", ")
        return [
            check("All \(precedence.names.count) tasks ran exactly once", ranOnce),
            check("No task started before those that it waits for had ended", keptOrder),
            check("\(last) was the last one", wasLast(last)),
            concurrency < sideBySide.count
                ? ClaimCheck(
                    claim: "\(together) ran at the same time",
                    verdict: .notApplicable("the concurrency is \(concurrency)"))
                : check("\(together) ran at the same time", overlapped(sideBySide)),
            check("Every barrier that was created was opened, once", openedBarriersOnce),
        ]
    }

    private func check(_ claim: String, _ objection: String?) -> ClaimCheck {
        ClaimCheck(claim: claim, verdict: objection.map { .fails($0) } ?? .holds)
    }

    // MARK: What speaks against the claims

    private var ranOnce: String? {
        for name in precedence.names {
            let span = spans[name] ?? Span()
            guard span.starts.count == 1, span.ends.count == 1 else {
                return "\(name) started \(span.starts.count) times and ended \(span.ends.count) times"
            }
        }
        let unknown = Set(spans.keys).subtracting(precedence.names)
        return unknown.isEmpty ? nil : "\(unknown.sorted().joined(separator: ", ")) ran too"
    }

    private var keptOrder: String? {
        for name in precedence.names {
            guard let start = spans[name]?.starts.min() else { return "\(name) never started" }
            for predecessor in (precedence.predecessors[name] ?? []).sorted() {
                guard let end = spans[predecessor]?.ends.max() else { return "\(predecessor) never ended" }
                guard end <= start else {
                    return "\(name) started at \(Self.text(start)), \(predecessor) ended at \(Self.text(end))"
                }
            }
        }
        return nil
    }

    private func wasLast(_ name: String) -> String? {
        guard endings.last == name else { return "\(endings.last ?? "nothing") was" }
        let start = spans[name]?.starts.min() ?? 0
        let running = spans.filter { $0.key != name && $0.value.ends.contains { $0 > start } }.keys
        return running.isEmpty ? nil : "\(running.sorted().joined(separator: ", ")) ended after it had started"
    }

    private func overlapped(_ names: Set<String>) -> String? {
        var lastStart = -Double.infinity
        var firstEnd = Double.infinity
        for name in names.sorted() {
            guard let span = spans[name], let start = span.starts.min(), let end = span.ends.max() else {
                return "\(name) did not run"
            }
            lastStart = max(lastStart, start)
            firstEnd = min(firstEnd, end)
        }
        guard lastStart < firstEnd else {
            return "one ended at \(Self.text(firstEnd)), another started at \(Self.text(lastStart))"
        }
        return nil
    }

    private var openedBarriersOnce: String? {
        if createdBarriers == openedBarriers, createdBarriers > 0 { return nil }
        return "\(createdBarriers) were created and \(openedBarriers) opened"
    }

    private static func text(_ milliseconds: Double) -> String {
        "\((milliseconds * 1000).rounded() / 1000) ms"
    }
}
