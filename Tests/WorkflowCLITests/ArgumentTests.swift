import ArgumentParser
import Foundation
import Testing

@testable import WorkflowCLI

@Suite(.timeLimit(.minutes(10))) struct ArgumentTests {
    @Test func theVersionIsTold() async throws {
        let result = try await Tool.run(["--version"])
        #expect(result.status == 0)
        #expect(result.output == DramatiqWorkflowCommand.configuration.version + "\n")
        #expect(!DramatiqWorkflowCommand.configuration.version.isEmpty)
    }

    #if Plugins
        private static let server = ["--redis", "redis://127.0.0.1:1"]
        private static let numbers: [([String], String, String)] = [
            (["dead-letters"] + server, "--limit", "from 1 to 1000000000"),
            (["dead-letters"] + server, "--offset", "from 0 to 1000000000"),
            (["measure", "x"], "--sample-limit", "from 1 to 1000000"),
            (["train-dictionary", "x", "--output", "x"], "--size", "from 64 to 65536"),
            (["demo"], "--concurrency", "from 1 to 256"),
            (["demo"], "--speed", "from 0.01 to 100.0"),
            (["storage", "sweep", "x"], "--older-than", "12h or 20d"),
        ]
        private static let nonsense = [
            "-1", "-9223372036854775809", "99999999999999999999", "1e99", "nan", "inf", "x", "", "1 ", "--json",
        ]

        @Test(arguments: numbers, nonsense)
        func whatANumberMayBeIsSaid(option: ([String], String, String), value: String) throws {
            let (command, name, allowed) = option
            let error = try #require(throws: (any Error).self) {
                try DramatiqWorkflowCommand.parseAsRoot(command + [name, value])
            }
            let text = try #require(DramatiqWorkflowCommand.errorText(error))
            let line = try #require(text.split(separator: "\n").first)
            #expect(line.contains("'\(value)' is invalid for '\(name) <"))
            #expect(line.contains(allowed))
            #expect(DramatiqWorkflowCommand.exitCode(for: error) == .validationFailure)
        }

        @Test(arguments: ["--limit", "--sample-limit", "--size", "--concurrency", "--speed"])
        func zeroIsToldWhatIsAllowed(name: String) throws {
            let (command, _, allowed) = try #require(Self.numbers.first { $0.1 == name })
            let error = try #require(throws: (any Error).self) {
                try DramatiqWorkflowCommand.parseAsRoot(command + [name, "0"])
            }
            #expect(DramatiqWorkflowCommand.errorText(error)?.contains(allowed) == true)
        }

        @Test(arguments: [
            ["measure", ""], ["measure", "x", "--chart", ""], ["measure", "x", "--chart", "-"],
            ["train-dictionary", "", "--output", "x"], ["train-dictionary", "x", "--output", ""],
            ["decode", ""], ["decode", "--dictionary", ""], ["encode", "--encoder", "zlib:99"],
            ["storage", "stat", ""],
            ["demo", "--output", ""], ["dead-letters", "requeue"] + server,
            ["dead-letters", "requeue", "--all", "x"] + server, ["dead-letters", "--queue", "a:b"] + server,
        ])
        func argumentsThatMakeNoSense(arguments: [String]) throws {
            let error = try #require(throws: (any Error).self) { try DramatiqWorkflowCommand.parseAsRoot(arguments) }
            #expect(DramatiqWorkflowCommand.exitCode(for: error) == .validationFailure)
        }
    #endif

    @Test func argumentsDontReachTheTerminal() async throws {
        let result = try await Tool.run(["\u{1B}[31m\u{9B}"])
        #expect(result.status == 64)
        #expect(result.errorLines.first == #"Error: Unexpected argument '\u{1B}[31m\u{009B}'"#)
    }

    /// What goes wrong while a command runs is one line, whatever is in it.
    @Test func errorsAreOneLine() throws {
        struct Failure: Error, CustomStringConvertible {
            let description = "one\ntwo\u{1B}[2J\r\u{2028}"
        }
        #expect(DramatiqWorkflowCommand.errorText(Failure()) == #"Error: one\ntwo\u{1B}[2J\r\u{2028}"#)
        #expect(DramatiqWorkflowCommand.errorText(ExitCode.failure) == nil)
    }
}
