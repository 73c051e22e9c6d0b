import ArgumentParser
import BenchmarkSupport

/// Messages, the in-memory transport and workflows, beside Python's dramatiq and dramatiq-workflow.
@main
struct CoreBenchmarks: AsyncParsableCommand {
    @OptionGroup var options: BenchmarkOptions

    func run() async throws {
        let python = try Peer.python("core.py")
        var session = Session(area: "core", options)
        try await measureMessages(&session, python)
        try await measureTasks(&session, python)
        try await measureDelays(&session)
        try await measureWorkflows(&session, python)
        await python.stop()
        try session.finish()
    }
}
