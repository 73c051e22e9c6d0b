import ArgumentParser
import CommandLineSupport
import Dramatiq
import Foundation
import WorkflowDemo

/// `dramatiq-workflow`: what one wants to see and do with workflows without writing a program.
@main
struct DramatiqWorkflowCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dramatiq-workflow",
        abstract: "Workflows of background tasks, in the wire formats of Python's dramatiq.",
        version: "0.1.0",
        subcommands: [DemoCommand.self] + pluginCommands
    )

    private static var pluginCommands: [any ParsableCommand.Type] {
        #if Plugins
            [
                MeasureCommand.self, EncodeCommand.self, DecodeCommand.self, TrainDictionaryCommand.self,
                StorageCommand.self, QueuesCommand.self, DeadLettersCommand.self, RunsCommand.self, GraphCommand.self,
            ]
        #else
            []
        #endif
    }

    static func main() async {
        do {
            var command = try parseAsRoot()
            if var command = command as? any AsyncParsableCommand {
                try await command.run()
            } else {
                try command.run()
            }
        } catch {
            guard let text = errorText(error) else { exit(withError: error) }
            _ = Descriptor.writeAll(Array((text + "\n").utf8), to: STDERR_FILENO)
            exit(withError: exitCode(for: error))
        }
    }

    /// What standard error gets for an error: nothing in it reaches the terminal but as text, and what went wrong while
    /// a command ran is one line.
    ///
    /// - Parameter arguments: those of the process: no password in them is repeated.
    /// - Returns: `nil` for what is no failure, such as a request for help, and for errors that were told already.
    static func errorText(_ error: any Error, arguments: [String] = CommandLine.arguments) -> String? {
        func hidden(_ text: String) -> String { SecretArguments.hide(in: text, arguments) }
        return switch exitCode(for: error) {
        case .success: nil
        case .validationFailure:
            hidden(fullMessage(for: error)).split(separator: "\n", omittingEmptySubsequences: false)
                .map { PrintableText.escape(String($0)) }.joined(separator: "\n")
        default: error is ExitCode ? nil : "Error: " + PrintableText.escape(hidden(message(for: error)), limit: 16_384)
        }
    }
}
