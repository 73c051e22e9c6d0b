import ArgumentParser
import BenchmarkSupport

/// The file storage beside a plain loop in C on the same disk, and how often the dedup storage asks its store.
@main
struct StorageBenchmarks: AsyncParsableCommand {
    @OptionGroup var options: BenchmarkOptions

    func run() async throws {
        var session = Session(area: "storage", options)
        for size in [2_000, 20_000, 200_000] { try await measureFiles(&session, size: size) }
        try await measureMessages(&session)
        try session.finish()
    }
}
