package import ArgumentParser
import CommandLineSupport

/// `dramatiq-workflow demo`.
package struct DemoCommand: AsyncParsableCommand {
    enum Part: Int, ExpressibleByArgument, CaseIterable {
        case eightTasks = 1
        case fileManifest = 2
    }

    package static let configuration = CommandConfiguration(
        commandName: "demo",
        abstract: "Run two workflows in this process and check that they do what they promise.",
        discussion: """
            Part 1 runs eight tasks in chains and groups and shows when each of them runs. Part 2 makes a manifest of \
            the files in a directory, with a checksum and a compression task for each file; check it with sha256sum. \
            The exit code says whether everything was as it should be.
            """
    )

    /// Each task may have a file open.
    private static let concurrencies = 1...256
    private static let speeds = 0.01...100.0

    @Option(help: "The part to run, both unless given.")
    var part: Part?

    @Option(help: ArgumentHelp("What part 2 reads, this package's sources unless given.", valueName: "directory"))
    var input: String?

    @Option(
        help: ArgumentHelp(
            "Where part 2 writes its manifest, a new temporary directory unless given. A table of sizes gets the same "
                + "name with .sizes.tsv.",
            valueName: "file"))
    var output: String?

    @Flag(help: "Print one JSON object per event and line on standard output, and nothing else.")
    var json = false

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("How many tasks run at the same time.", valueName: "tasks"),
        transform: BoundedNumber(concurrencies).read)
    var concurrency = 8

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("How fast part 1 runs; 2 halves the length of its tasks.", valueName: "factor"),
        transform: readSpeed)
    var speed = 1.0

    @Sendable private static func readSpeed(_ text: String) throws(ArgumentFault) -> Double {
        guard let speed = Double(text), speeds.contains(speed) else {
            throw ArgumentFault("It must be a number from \(speeds.lowerBound) to \(speeds.upperBound)")
        }
        return speed
    }

    package init() {}

    package func validate() throws {
        guard input != "", output != "" else { throw ValidationError("--input and --output can't be empty") }
    }

    package func run() async throws {
        let presentation = DemoPresentation(console: Console(), style: .current(), isJSON: json)
        do {
            // Said before the first part runs, not after it.
            let places = part == .eightTasks ? nil : try await places()
            if part != .fileManifest {
                try await presentation.run(EightTasksDemo(speed: speed, concurrency: concurrency))
            }
            if part == nil { presentation.separate() }
            if let places {
                try await presentation.run(FileManifestDemo(places: places, concurrency: concurrency))
            }
            try await presentation.console.flush()
        } catch is CancellationError {
            presentation.console.writeLine("Interrupted", to: .error)
            try? await presentation.console.flush()
            // What shells report for a program that was interrupted.
            throw ExitCode(130)
        } catch let failure as DemoFailure {
            // In more than one line.
            presentation.console.writeLine("Error: \(failure)", to: .error)
            try? await presentation.console.flush()
            throw ExitCode.failure
        } catch {
            try? await presentation.console.flush()
            throw error
        }
    }

    private func places() async throws -> FilePlaces {
        let output = output.map { FilePath($0) }
        let input = input.map { FilePath($0) }
        return try await BlockingWork.run { _ in
            guard let directory = input ?? DemoInput.standard() else { throw DemoFailure.noInput }
            return try FilePlaces(input: directory, output: output)
        }
    }
}
