public import CoreMetrics
public import Dramatiq
public import DramatiqWorkflow

/// Counts the bytes that another store keeps and gives back, how long that takes, and how often it fails.
///
///     let store = MeasuredWorkflowStore(S3WorkflowStore(configuration), factory: prometheus)
///         .compressed(with: LZ4Compressor())
///
/// It counts the bytes as they come to it: inside of a `CompressedWorkflowStore` those that are kept, around one those of
/// the workflows. It passes everything on, so references and caches stay what they were.
public struct MeasuredWorkflowStore<Base: WorkflowStore>: WorkflowStore {
    /// Keeps the bytes.
    public let base: Base
    private let stored: Traffic
    private let loaded: Traffic
    private let errors: Counter

    private struct Traffic {
        let bytes: Counter
        let duration: Recorder

        init(_ name: String, _ direction: String, _ factory: any MetricsFactory) {
            bytes = MetricDefinition.storageBytes.counter(factory, name, direction)
            duration = MetricDefinition.storageDuration.histogram(factory, name, direction)
        }
    }

    /// - Parameters:
    ///   - base: keeps the bytes.
    ///   - name: what the figures call it, as their label `storage`. Defaults to the store's own name.
    ///   - factory: makes the figures. Defaults to the one of `MetricsSystem`.
    public init(_ base: Base, name: String? = nil, factory: any MetricsFactory = MetricsSystem.factory) {
        self.base = base
        let name = name ?? base.name
        stored = Traffic(name, "out", factory)
        loaded = Traffic(name, "in", factory)
        errors = MetricDefinition.storageErrors.counter(factory, name)
    }

    public var name: String { base.name }
    public var identity: String? { base.identity }

    /// - Throws: what the store throws.
    public func store(_ workflow: [UInt8], completionID: String) async throws -> JSONValue {
        let stopwatch = Stopwatch()
        let place = try await counting { try await base.store(workflow, completionID: completionID) }
        stored.bytes.increment(by: workflow.count)
        stored.duration.record(stopwatch.milliseconds)
        return place
    }

    /// - Throws: what the store throws.
    public func load(_ reference: JSONValue, completionID: String) async throws -> [UInt8] {
        let stopwatch = Stopwatch()
        let workflow = try await counting { try await base.load(reference, completionID: completionID) }
        loaded.bytes.increment(by: workflow.count)
        loaded.duration.record(stopwatch.milliseconds)
        return workflow
    }

    /// - Throws: what the store throws.
    public func refresh(_ reference: JSONValue, completionID: String) async throws {
        try await counting { try await base.refresh(reference, completionID: completionID) }
    }

    /// - Throws: what the store throws.
    public func refresh(_ reference: JSONValue, completionID: String, for wait: Duration) async throws {
        try await counting { try await base.refresh(reference, completionID: completionID, for: wait) }
    }

    /// - Throws: what the store throws.
    public func remove(_ reference: JSONValue, completionID: String) async throws {
        try await counting { try await base.remove(reference, completionID: completionID) }
    }

    private func counting<Result>(_ call: () async throws -> Result) async throws -> Result {
        do {
            return try await call()
        } catch {
            // That nobody waits for it any more is no fault of the storage.
            if !(error is CancellationError) { errors.increment() }
            throw error
        }
    }
}

extension MeasuredWorkflowStore: KeyedWorkflowStore where Base: KeyedWorkflowStore {
    package func key(of name: String, in place: StoreIdentity, beside key: String) -> String? {
        base.key(of: name, in: place, beside: key)
    }
}

/// What a person asks for is not counted.
extension MeasuredWorkflowStore: WorkflowStoreOperations where Base: WorkflowStoreOperations {
    public var retention: Duration { base.retention }

    public func contents(after position: String?) async throws -> StoredContentPage {
        try await base.contents(after: position)
    }

    public func stored(named name: String) async throws -> StoredContent? { try await base.stored(named: name) }

    public func content(named name: String) async throws -> [UInt8]? { try await base.content(named: name) }

    public func store(_ content: [UInt8], named name: String) async throws {
        try await base.store(content, named: name)
    }

    @discardableResult
    public func remove(named name: String, olderThan age: Duration) async throws -> Bool {
        try await base.remove(named: name, olderThan: age)
    }

    public func statistics() async throws -> StorageStatistics { try await base.statistics() }

    public func sweep(olderThan age: Duration?, isDryRun: Bool) async throws -> SweepReport {
        try await base.sweep(olderThan: age, isDryRun: isDryRun)
    }
}
