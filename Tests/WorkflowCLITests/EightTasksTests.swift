import Dramatiq
import DramatiqWorkflow
import Foundation
import Testing

@testable import CommandLineSupport
@testable import WorkflowDemo

@Suite(.timeLimit(.minutes(10))) struct EightTasksTests {
    @Test func runsAsItsDefinitionSays() async throws {
        let recorder = EventRecorder(keepsHistory: true)
        let claims = try await EightTasksDemo.meeting().run(recorder: recorder)
        #expect(claims.count == 5)
        #expect(claims.allSatisfy { $0.verdict == .holds })
        let order = order(of: recorder.history)
        #expect(order.starts.count == 8)
        #expect(order.starts.first == "task1")
        #expect(Set(order.starts[1...3]) == EightTasks.namesSideBySide)
        #expect(order.starts.last == "task8")
        #expect(order.ends.last == "task8")
        #expect(recorder.history.map(\.milliseconds) == recorder.history.map(\.milliseconds).sorted())
    }

    @Test func barriersOpenBeforeWhatTheyHoldBack() async throws {
        let recorder = EventRecorder(keepsHistory: true)
        try await EightTasksDemo.meeting().run(recorder: recorder)
        var opened = 0
        for event in recorder.history {
            switch event.kind {
            case .barrierOpened: opened += 1
            case .taskStarted(let run) where run.actorName == "task1": #expect(opened == 0)
            case .taskStarted(let run) where run.actorName == "task8": #expect(opened == 6)
            default: break
            }
        }
    }

    /// What a barrier holds back is sent right after the last arrival, so that is when it is seen to open.
    @Test func aBarrierIsSeenToOpenWithTheLastArrival() async throws {
        let recorder = EventRecorder(keepsHistory: true)
        let store = ObservedStore(InMemoryRateLimiterBackend(), recorder)
        let barrier = BarrierKey(key: "b", releaseKey: "b_ran", ttl: .seconds(60))
        func openings() -> Int {
            recorder.history.count { if case .barrierOpened = $0.kind { true } else { false } }
        }
        func commit(_ change: (inout StateCommit) -> Void) async throws -> StateCommit.Result {
            var steps = StateCommit(store: store)
            change(&steps)
            return try await store.apply(steps)
        }
        _ = try await commit { $0.creations = [.init(barrier: barrier, parties: 2)] }
        _ = try await commit { $0.arrival = .init(barrier: barrier, party: "1", releases: false) }
        #expect(openings() == 0)
        let result = try await commit { $0.arrival = .init(barrier: barrier, party: "2", releases: false) }
        #expect(result == .opened)
        #expect(openings() == 1)
        _ = try await commit { $0.releases = [barrier] }
        #expect(openings() == 1)
    }

    @Test func aSingleProcessorIsEnough() async throws {
        let recorder = EventRecorder(keepsHistory: true)
        let claims = try await EightTasksDemo(speed: 50, concurrency: 1).run(recorder: recorder)
        #expect(claims.count { $0.verdict == .holds } == 4)
        #expect(claims.contains { if case .notApplicable = $0.verdict { true } else { false } })
    }

    private func order(of events: [DemoEvent]) -> (starts: [String], ends: [String]) {
        var order: (starts: [String], ends: [String]) = ([], [])
        for event in events {
            switch event.kind {
            case .taskStarted(let run): order.starts.append(run.actorName)
            case .taskFinished(let run): order.ends.append(run.actorName)
            default: break
            }
        }
        return order
    }
}

@Suite struct ExecutionCheckTests {
    private let precedence = Precedence(
        of: Chain(
            Self.message("a"), Group(Chain(Self.message("b"), Self.message("c")), Self.message("d")), Self.message("e")
        ).node)

    private static func message(_ name: String) -> Message {
        Message(queueName: "default", actorName: name)
    }

    /// Events from texts such as `+a` (started) and `-a` (finished), a millisecond apart.
    private func failures(_ script: String) -> [String] {
        var events: [DemoEvent] = []
        for (time, step) in script.split(separator: " ").enumerated() {
            let run = TaskRun(Self.message(String(step.dropFirst())))
            let barrier = BarrierState(number: 1, key: "key", parties: 1)
            let kind: DemoEvent.Kind =
                switch step.first {
                case "+": .taskStarted(run)
                case "-": .taskFinished(run)
                case "<": .barrierCreated(barrier)
                default: .barrierOpened(barrier)
                }
            events.append(DemoEvent(milliseconds: Double(time), kind: kind))
        }
        let claims = ExecutionCheck(precedence, events).claims(last: "e", sideBySide: ["b", "d"], concurrency: 2)
        return claims.compactMap { if case .fails(let reason) = $0.verdict { reason } else { nil } }
    }

    @Test func definition() {
        #expect(precedence.names == ["a", "b", "c", "d", "e"])
        #expect(
            precedence.predecessors == ["a": [], "b": ["a"], "c": ["b"], "d": ["a"], "e": ["c", "d"]])
    }

    @Test func aRunAsPromised() {
        #expect(failures("< +a -a > +b +d -b +c -d -c +e -e") == [])
    }

    @Test func aTaskThatRanTwice() {
        #expect(
            failures("< +a -a > +b +d -b +c -d -c +d -d +e -e") == ["d started 2 times and ended 2 times"])
    }

    @Test func aTaskThatNeverRan() {
        #expect(failures("< +a -a > +b +d -b -d +e -e").contains("c started 0 times and ended 0 times"))
    }

    @Test func aTaskThatStartedTooEarly() {
        #expect(failures("< +a -a > +b +d -b +c -d +e -c -e").contains { $0.hasPrefix("e started at 9.0 ms") })
    }

    @Test func aTaskThatWasNotLast() {
        #expect(failures("< +a -a > +b +d -b +c -d +e -e -c").contains("c was"))
    }

    @Test func tasksThatDidNotOverlap() {
        #expect(failures("< +a -a > +b -b +d -d +c -c +e -e").contains { $0.hasPrefix("one ended at") })
    }

    @Test func aBarrierThatStayedShut() {
        #expect(failures("< < +a -a > +b +d -b +c -d -c +e -e") == ["2 were created and 1 opened"])
    }
}

@Suite struct TimelineTests {
    @Test(arguments: [1, 5, 12, 20, 26, 27, 40, 80, 200]) func noLineIsWiderThanTheTerminal(_ columns: Int) {
        var timeline = Timeline(names: EightTasks.names, expectedMilliseconds: 100, isUnicode: true)
        for (index, name) in EightTasks.names.enumerated() {
            let run = TaskRun(Message(queueName: "default", actorName: name))
            timeline.apply(DemoEvent(milliseconds: Double(index * 40), kind: .taskStarted(run)))
            guard index < 6 else { continue }
            timeline.apply(DemoEvent(milliseconds: Double(index * 40 + 90), kind: .taskFinished(run)))
            let barrier = BarrierState(number: index, key: "key", parties: 1)
            timeline.apply(DemoEvent(milliseconds: Double(index * 40 + 91), kind: .barrierOpened(barrier)))
        }
        var region = LiveRegion()
        let lines = timeline.lines(at: 400, columns: columns)
        #expect(lines.count >= EightTasks.names.count)
        let drawn = region.draw(lines, size: TerminalSize(columns: columns, rows: 24))
        for line in drawn.split(separator: "\n") { #expect(Terminal.visible(line).count <= columns) }
    }

    @Test func barsStandWhereTheTimeIs() {
        var timeline = Timeline(names: ["one", "two"], expectedMilliseconds: 100, isUnicode: false)
        let one = TaskRun(Message(queueName: "default", actorName: "one"))
        let two = TaskRun(Message(queueName: "default", actorName: "two"))
        timeline.apply(DemoEvent(milliseconds: 0, kind: .taskStarted(one)))
        timeline.apply(DemoEvent(milliseconds: 50, kind: .taskFinished(one)))
        timeline.apply(
            DemoEvent(milliseconds: 50, kind: .barrierOpened(BarrierState(number: 1, key: "key", parties: 1))))
        timeline.apply(DemoEvent(milliseconds: 50, kind: .taskStarted(two)))
        // 9 columns for the names, 9 for the times.
        let lines = timeline.lines(at: 75, columns: 38).map(\.text)
        #expect(lines[0] == "one      ##########..........    50 ms")
        #expect(lines[1] == "two      ..........=====.....    25 ms")
        #expect(lines[2].hasPrefix("barriers           ^"))
    }
}

/// What a terminal makes of a text.
enum Terminal {
    static func visible(_ text: some StringProtocol) -> String {
        String(text).replacing(#/\u{1B}\[[?0-9;]*[A-Za-z]/#, with: "").replacing("\r", with: "")
    }
}
