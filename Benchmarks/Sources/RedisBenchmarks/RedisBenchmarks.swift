import ArgumentParser
import BenchmarkSupport

/// The Redis transport, beside Python's dramatiq and dramatiq-workflow on the same server, and beside what the server
/// can do when nobody has to make its commands or look at its answers.
@main
struct RedisBenchmarks: AsyncParsableCommand {
    @OptionGroup var options: BenchmarkOptions

    func run() async throws {
        let server = try await LocalServer()
        let python = try Peer.python("redis_transport.py")
        var session = Session(area: "redis", options)
        try await measureEnqueues(&session, server, python)
        try await measureTasks(&session, server, python)
        try await measureMiddleware(&session, server)
        try await measureDelays(&session, server)
        try await measureWorkflows(&session, server, python)
        try await measureRuns(&session, server)
        try await measureStoredChains(&session, server)
        try await measureLatency(&session, server, python)
        await python.stop()
        server.stop()
        try session.finish()
    }
}
