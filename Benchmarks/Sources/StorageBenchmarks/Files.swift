import BenchmarkSupport
import Dramatiq
import DramatiqFileStorage

/// Storing and loading contents of a size.
func measureFiles(_ session: inout Session, size: Int) async throws {
    let name = size < 1_000_000 ? "\(size / 1000) KB" : "\(size / 1_000_000) MB"
    try await measureStoring(&session, name, size, synced: true, count: 192)
    try await measureStoring(&session, name, size, synced: false, count: 1_920)
    try await measureLoading(&session, name, size)
}

private func measureStoring(
    _ session: inout Session,
    _ name: String,
    _ size: Int,
    synced: Bool,
    count: Int
) async throws {
    let place = try BenchmarkDirectory()
    let store = FileWorkflowStore(
        directory: place.path + "/storage", durability: synced ? .powerFailure : .processFailure)
    let raw = try RawFiles(place.path + "/raw", size: size)
    let contents = SampleContent(size: size)
    // Makes the directories, which happens once in the life of a storage.
    let maker = FileWorkflowStore(directory: place.path + "/storage", durability: .processFailure)
    for _ in 0..<2_000 { _ = try await maker.store(contents.make(), completionID: "") }
    let words = synced ? "with fsync" : "without fsync"
    try await session.compare(
        Comparison(
            "store \(name) \(words), one after the other", unit: "contents",
            aims: [.atLeast(0.9, times: synced ? "c, the same durability" : "c")],
            Contestant("swift") {
                try await Measurement.of(work: Double(count)) {
                    for _ in 0..<count { _ = try await store.store(contents.make(), completionID: "") }
                }
            },
            Contestant(synced ? "c, the same durability" : "c") {
                try await Measurement.of(work: Double(count)) {
                    try raw.store(count, synced: synced, directorySynced: synced)
                }
            }))
    try await session.compare(
        Comparison(
            "store \(name) \(words), 16 at a time", unit: "contents",
            aims: [.atLeast(0.9, times: "c")],
            Contestant("swift") {
                try await Measurement.of(work: Double(count)) {
                    try await withThrowingTaskGroup(of: Void.self) { group in
                        for _ in 0..<16 {
                            group.addTask {
                                for _ in 0..<count / 16 { _ = try await store.store(contents.make(), completionID: "") }
                            }
                        }
                        try await group.waitForAll()
                    }
                }
            },
            Contestant("c") {
                try await Measurement.of(work: Double(count)) {
                    try raw.store(count, synced: synced, directorySynced: false)
                }
            }))
}

private func measureLoading(_ session: inout Session, _ name: String, _ size: Int) async throws {
    let count = 1_000
    let place = try BenchmarkDirectory()
    let store = FileWorkflowStore(directory: place.path + "/storage", durability: .processFailure)
    let raw = try RawFiles(place.path + "/raw", size: size)
    try raw.store(count, synced: false, directorySynced: false)
    let contents = SampleContent(size: size)
    var references: [JSONValue] = []
    for _ in 0..<count { references.append(try await store.store(contents.make(), completionID: "")) }
    let all = references
    try await session.compare(
        Comparison(
            "load \(name), one after the other", unit: "contents",
            Contestant("swift") {
                try await Measurement.of(work: Double(count)) {
                    for reference in all { consume(try await store.load(reference, completionID: "")) }
                }
            },
            Contestant("c") { try await Measurement.of(work: Double(count)) { try raw.load(count) } }))
}
