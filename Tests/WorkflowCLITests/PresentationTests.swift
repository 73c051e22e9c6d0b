import ArgumentParser
import Foundation
import Testing

@testable import CommandLineSupport
@testable import WorkflowDemo

@Suite(.timeLimit(.minutes(10))) struct PresentationTests {
    private static let plain = OutputStyle(isTerminal: false) { _ in nil }

    private func events(_ text: String) throws -> [[String: Any]] {
        #expect(text.hasSuffix("\n"))
        return try text.split(separator: "\n").map { line in
            try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
        }
    }

    private func names(_ events: [[String: Any]]) -> [String: Int] {
        events.reduce(into: [:]) { $0[$1["event"] as? String ?? "", default: 0] += 1 }
    }

    @Test func eventsOfBothPartsAreJSON() async throws {
        let captured = try CapturedConsole()
        let input = try TemporaryDirectory()
        for name in ["a", "new\nline \"\\", "é"] { try input.write(Array(name.utf8), name) }
        let output = try TemporaryDirectory()
        let presentation = DemoPresentation(
            console: captured.console, style: Self.plain, isJSON: true, signals: [])
        try await presentation.run(EightTasksDemo.meeting())
        presentation.separate()
        let places = try FilePlaces(input: input.path, output: output.path.appending(FilePath("manifest")))
        try await presentation.run(FileManifestDemo(places: places, concurrency: 2))

        let events = try events(try await captured.outputText())
        let first = names(events.filter { $0["part"] as? Int == 1 })
        #expect(
            first == [
                "workflow_started": 1, "task_started": 8, "task_finished": 8, "barrier_created": 6,
                "barrier_opened": 6, "claim_checked": 5, "workflow_done": 1,
            ])
        let second = names(events.filter { $0["part"] as? Int == 2 })
        #expect(
            second == [
                "workflow_started": 1, "files_found": 1, "task_started": 8, "task_finished": 8, "barrier_created": 5,
                "barrier_opened": 5, "manifest_written": 1, "file_verified": 3, "workflow_done": 1,
            ])
        #expect(events.allSatisfy { $0["ms"] is Double || $0["ms"] is Int })
        #expect(events.last?["succeeded"] as? Bool == true)
        #expect(try await captured.errorText().isEmpty)
    }

    @Test func plainLinesWhereNothingCanBeRedrawn() async throws {
        let captured = try CapturedConsole()
        let presentation = DemoPresentation(
            console: captured.console, style: Self.plain, isJSON: false, signals: [])
        try await presentation.run(EightTasksDemo.meeting())
        let text = try await captured.outputText()
        #expect(!text.contains("\u{1B}"))
        for number in 1...8 {
            #expect(text.contains("  task\(number) started\n"))
            #expect(text.contains("  task\(number) finished after "))
        }
        #expect(
            text.contains(
                """
                chain
                |- task1
                |- group
                |  |- chain
                |  |  |- task2
                |  |  `- task5
                |  |- task3
                |  `- chain
                |     |- task4
                |     `- group
                |        |- task6
                |        `- task7
                `- task8

                """))
        #expect(!text.contains("failed"))
    }

    @Test func aFailureIsReportedAndThrown() async throws {
        let captured = try CapturedConsole()
        let input = try TemporaryDirectory()
        let output = try TemporaryDirectory()
        let places = try FilePlaces(input: input.path, output: output.path.appending(FilePath("manifest")))
        // What is no directory any more can't be looked through.
        try input.remove("")
        let presentation = DemoPresentation(
            console: captured.console, style: Self.plain, isJSON: true, signals: [])
        await #expect(throws: DemoFailure.self) {
            try await presentation.run(FileManifestDemo(places: places, concurrency: 2))
        }
        let events = try events(try await captured.outputText())
        let failed = try #require(events.first { $0["event"] as? String == "task_failed" })
        #expect((failed["reason"] as? String)?.contains("\(input.path)") == true)
        #expect(names(events)["task_failed"] == 1)
        #expect(events.last?["event"] as? String == "workflow_done")
        #expect(events.last?["succeeded"] as? Bool == false)
        // What is thrown is told in the end, and once.
        #expect(try await captured.errorText().isEmpty)
    }

    @Test(arguments: [
        (true, ["TERM": "xterm", "LANG": "C.UTF-8"], true, true),
        (true, ["TERM": "xterm", "LANG": "C"], true, false),
        (true, ["TERM": "xterm", "LC_ALL": "C", "LANG": "C.UTF-8"], true, false),
        (true, ["TERM": "dumb"], false, false),
        (true, [:], false, false),
        (true, ["TERM": "xterm", "NO_COLOR": "1"], false, false),
        (true, ["TERM": "xterm", "NO_COLOR": ""], true, false),
        (false, ["TERM": "xterm", "LANG": "en_US.utf8"], false, true),
    ])
    func style(isTerminal: Bool, environment: [String: String], isLive: Bool, isUnicode: Bool) {
        let style = OutputStyle(isTerminal: isTerminal) { environment[$0] }
        #expect(style.isLive == isLive)
        #expect(style.isUnicode == isUnicode)
    }

    @Test func theLiveRegionGivesBackWhatItTook() {
        var region = LiveRegion()
        #expect(region.finish() == "")
        let size = TerminalSize(columns: 10, rows: 3)
        let first = region.draw(["one", "two", "three"], size: size)
        #expect(first.contains("\u{1B}[?25l"))
        #expect(Terminal.visible(first) == "one\ntwo\n", "the third line doesn't fit")
        #expect(region.draw(["four"], size: size).contains("\u{1B}[2A"))
        #expect(region.clear().contains("\u{1B}[1A"))
        #expect(region.finish() == "\u{1B}[?25h")
    }

    @Test(arguments: [
        ["--concurrency", "0"], ["--concurrency", "257"], ["--concurrency", "-1"], ["--speed", "0"],
        ["--speed", "nan"], ["--speed", "1e400"], ["--part", "3"],
        ["--input", ""], ["--unknown"],
    ])
    func argumentsThatMakeNoSense(_ arguments: [String]) {
        #expect(throws: (any Error).self) { try DemoCommand.parse(arguments) }
    }

    @Test func arguments() throws {
        let command = try DemoCommand.parse(["--part", "2", "--input", "a", "--json", "--concurrency", "3"])
        #expect(command.part == .fileManifest)
        #expect(command.input == "a")
        #expect(command.json)
        #expect(command.concurrency == 3)
    }
}
