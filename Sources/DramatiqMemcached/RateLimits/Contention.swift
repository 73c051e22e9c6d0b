/// Keeps many that change one key at the same time from being in each other's way for long.
struct Contention {
    private var losses = 0

    /// Is called when another one was quicker: waits the longer the more often, up to 64 ms.
    ///
    /// - Throws: `CancellationError`.
    mutating func pause() async throws {
        losses += 1
        try await Task.sleep(for: .microseconds(Int.random(in: 0...(500 << min(losses, 7)))))
    }
}
