import Dramatiq
public import DramatiqWorkflow

extension WorkflowStoreOperations {
    /// Copies all contents to another store, under the same names. Each is checked, stored, and read back from there.
    /// What is there already is kept for as long as if it had been stored now and not copied again, so a copy that was
    /// interrupted can go on. What a message waits with is kept for as long there.
    ///
    /// - Parameters:
    ///   - other: the store that gets them.
    ///   - progress: gets what was done so far, after each content.
    /// - Returns: what was copied, and what not. What concerns one content only keeps no other from being copied.
    /// - Throws: what a store throws that can't be reached; `CancellationError`. What was done by then was told.
    public func copy(
        to other: some WorkflowStoreOperations,
        progress: (StoreCopyReport) -> Void = { _ in }
    ) async throws -> StoreCopyReport {
        var report = StoreCopyReport()
        try await forEachContent { content in
            try await copy(content, to: other)
        } _: { _, outcome in
            report.add(outcome)
            progress(report)
        } failed: {
            report.fail($0)
            progress(report)
        }
        return report
    }

    private func copy(
        _ content: StoredContent,
        to other: some WorkflowStoreOperations
    ) async throws -> StoreCopyReport.Outcome {
        let name = content.name
        let wait = max(.zero, .zero - (content.age ?? .zero))
        if try await other.stored(named: name) != nil {
            try await other.refresh(.string(name), completionID: name, for: wait)
            return .present
        }
        guard let bytes = try await self.content(named: name) else { return .gone }
        try Self.check(bytes, named: name)
        try await other.store(bytes, named: name)
        guard try await other.content(named: name) == bytes else {
            throw StorageFailure(place: name, code: "corrupt", reason: "It was copied, and is something else there")
        }
        if wait > .zero { try await other.refresh(.string(name), completionID: name, for: wait) }
        return .copied(bytes.count)
    }
}
