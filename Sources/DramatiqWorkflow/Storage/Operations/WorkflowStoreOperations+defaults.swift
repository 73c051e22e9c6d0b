import Dramatiq

extension WorkflowStoreOperations {
    public var retention: Duration { .seconds(16 * 86_400) }

    public func store(_ content: [UInt8], named name: String) async throws {
        guard try await store(content, completionID: name).stringValue?.hasSameBytes(as: name) == true else {
            throw StorageOperationError.otherName(name)
        }
    }

    public func statistics() async throws -> StorageStatistics {
        var statistics = StorageStatistics()
        try await forEachPage { page in
            statistics.add(page)
            for content in page.contents { statistics.add(size: content.size, age: content.age, limit: retention) }
        }
        return statistics
    }

    public func sweep(olderThan age: Duration? = nil, isDryRun: Bool = false) async throws -> SweepReport {
        let age = age ?? retention
        var report = SweepReport(isDryRun: isDryRun)
        try await forEachContent { content in
            guard let contentAge = content.age, contentAge > age else { return false }
            return if isDryRun { true } else { try await remove(named: content.name, olderThan: age) }
        } _: { content, isRemoved in
            if isRemoved { report.remove(content.size) } else { report.keep(content.size) }
        } failed: {
            report.fail($0)
        }
        return report
    }

    /// Calls a closure with each page.
    private func forEachPage(_ body: (StoredContentPage) async throws -> Void) async throws {
        var position: String?
        repeat {
            try Task.checkCancellation()
            let page = try await contents(after: position)
            try await body(page)
            position = page.next
        } while position != nil
    }

    /// Does something with each content, with a few at a time, and takes the results one after the other. What is wrong
    /// with one keeps nothing else from being done.
    ///
    /// - Parameters:
    ///   - width: with how many at a time. Defaults to eight.
    ///   - failed: gets what went wrong with single contents, and what can't be read.
    /// - Throws: an error that is not confined to one content; `CancellationError`.
    package func forEachContent<Outcome: Sendable>(
        width: Int = 8,
        _ body: @escaping @Sendable (StoredContent) async throws -> Outcome,
        _ take: (StoredContent, Outcome) -> Void,
        failed: (StorageFailure) -> Void
    ) async throws {
        typealias Result = (content: StoredContent, outcome: Swift.Result<Outcome, StorageFailure>)
        try await forEachPage { page in
            for failure in page.failures { failed(failure) }
            try await withThrowingTaskGroup(of: Result.self) { group in
                func takeNext() async throws {
                    guard let (content, outcome) = try await group.next() else { return }
                    switch outcome {
                    case .success(let value): take(content, value)
                    case .failure(let failure): failed(failure)
                    }
                }
                for (index, content) in page.contents.enumerated() {
                    if index >= width { try await takeNext() }
                    try Task.checkCancellation()
                    group.addTask {
                        do {
                            return (content, .success(try await body(content)))
                        } catch let error as any ConfinedError where error.isConfined {
                            return (content, .failure(StorageFailure(error, place: content.name)))
                        }
                    }
                }
                for _ in 0..<min(width, page.contents.count) { try await takeNext() }
            }
        }
    }
}
