import CommandLineSupport
import Dramatiq
import UnixSignals

/// The demo's second part: a workflow over the files of a directory, with a task for each.
struct FileManifestDemo: Sendable {
    /// What came out.
    struct Summary: Sendable, Equatable {
        let fileCount: Int
        let skippedCount: Int
        let size: Int
        let compressedSize: Int
    }

    let places: FilePlaces
    let concurrency: Int

    /// Writes the manifest, and checks it against the files before it says that all is well.
    ///
    /// - Parameters:
    ///   - recorder: gets the events.
    ///   - signals: end it early.
    ///   - beforeVerification: something to do between the workflow's end and the check.
    /// - Throws: ``DemoFailure``, ``FileError``, `CancellationError` after a signal.
    func run(
        recorder: EventRecorder,
        endingOn signals: [UnixSignal] = [],
        beforeVerification: @escaping @Sendable () async throws -> Void = {}
    ) async throws -> Summary {
        try await BlockingWork.run { _ in try places.prepare() }
        let session = try EmbeddedSession(recorder: recorder, concurrency: concurrency)
        let results = FileResults()
        let tasks = FileTasks(places: places, results: results, recorder: recorder, broker: session.broker)
        try await session.broker.declare(tasks.scan, tasks.checksum, tasks.compressedSize, tasks.writeManifest)
        return try await session.run(endingOn: signals) {
            recorder.record(
                .workflowStarted("Chain(Group(Chain(checksum(file), compressed_size(file)), …), write_manifest())"))
            try await tasks.scan.send(to: session.broker)
            try await session.waitForTasks()
            guard await results.isManifestWritten, let tree = await results.tree else {
                throw DemoFailure.workflowIncomplete
            }
            try await beforeVerification()
            let verification = ManifestVerification(places: places, concurrency: concurrency)
            try await verification.run(expecting: tree.files.map(\.path)) { path in
                recorder.record(.fileVerified(path))
            }
            let sizes = try await results.all().sizes
            return Summary(
                fileCount: sizes.count,
                skippedCount: tree.skipped.count,
                size: sizes.reduce(0) { $0 + $1.size },
                compressedSize: sizes.reduce(0) { $0 + $1.compressedSize }
            )
        }
    }
}
