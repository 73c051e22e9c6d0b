public import Dramatiq

/// Keeps small contents in one store and large ones in another.
///
///     let store = RedisWorkflowStore(redis).tiered(above: 64 << 10, to: s3)
///
/// The place that messages carry says which of the two has a content: nothing more than its name for the small one. What
/// isn't there is looked for in the other one, so contents can be copied from store to store, and the limit can change.
/// Whoever knows only one of the stores finds by their names the contents that it has; Python's `TieredStore` looks in both.
public struct TieredWorkflowStore<Small: WorkflowStore, Large: WorkflowStore>: WorkflowStore {
    private enum Tier: Int {
        case small = 0
        case large = 1
    }

    /// As much as a name can have in references, `dedup.` left out.
    private static var maxNameLength: Int { StorageReference.maxNameLength - 6 }

    /// Keeps contents up to ``limit``.
    public let small: Small
    /// Keeps contents above it.
    public let large: Large
    /// The largest content that the small store gets, in bytes.
    public let limit: Int

    init(_ small: Small, _ limit: Int, _ large: Large) {
        self.small = small
        self.large = large
        self.limit = limit
    }

    /// Those of both with a sign between them, `redis+s3`, if that is short enough; `tiered` if not.
    public var name: String {
        let name = "\(small.name)+\(large.name)"
        return name.utf8.count <= Self.maxNameLength ? name : "tiered"
    }

    public var identity: String? {
        guard let small = small.identity, let large = large.identity else { return nil }
        return "\(small)+\(large)"
    }

    /// - Throws: what the store throws.
    public func store(_ workflow: [UInt8], completionID: String) async throws -> JSONValue {
        if workflow.count > limit {
            let place = try await large.store(workflow, completionID: completionID)
            return Self.isName(place, completionID) ? .integer(Tier.large.rawValue) : Self.place(place, .large)
        }
        let place = try await small.store(workflow, completionID: completionID)
        return Self.isName(place, completionID) ? place : Self.place(place, .small)
    }

    /// - Throws: ``WorkflowError/Code/invalidCallbacks`` for a place that is none; what the store throws.
    public func load(_ reference: JSONValue, completionID: String) async throws -> [UInt8] {
        try await find(reference, completionID) { store, place in
            try await store.load(place, completionID: completionID)
        }
    }

    /// - Throws: as ``load(_:completionID:)``.
    public func refresh(_ reference: JSONValue, completionID: String) async throws {
        try await find(reference, completionID) { store, place in
            try await store.refresh(place, completionID: completionID)
        }
    }

    /// - Throws: as ``load(_:completionID:)``.
    public func refresh(_ reference: JSONValue, completionID: String, for wait: Duration) async throws {
        try await find(reference, completionID) { store, place in
            try await store.refresh(place, completionID: completionID, for: wait)
        }
    }

    /// Removes it from the store that it was stored in. A copy in the other one is left to who sweeps.
    ///
    /// - Throws: as ``load(_:completionID:)``.
    public func remove(_ reference: JSONValue, completionID: String) async throws {
        let (tier, place) = try Self.read(reference, completionID)
        switch tier {
        case .small: try await small.remove(place, completionID: completionID)
        case .large: try await large.remove(place, completionID: completionID)
        }
    }

    // MARK: Places

    private static func place(_ place: JSONValue, _ tier: Tier) -> JSONValue { [.integer(tier.rawValue), place] }

    private static func isName(_ place: JSONValue, _ name: String) -> Bool {
        place.stringValue?.hasSameBytes(as: name) == true
    }

    /// Which store has something, and what that calls the place.
    private static func read(_ reference: JSONValue, _ name: String) throws(WorkflowError) -> (Tier, JSONValue) {
        switch reference {
        case .string(let text) where text.hasSameBytes(as: name): return (.small, reference)
        case .integer(Tier.large.rawValue): return (.large, .string(name))
        case .array(let array) where array.count == 2:
            let elements = array.elements
            if case .integer(let number) = elements[0], let tier = Tier(rawValue: number) { return (tier, elements[1]) }
        default: break
        }
        throw .invalidCallbacks(reason: "the place of a content in two stores must say which of them")
    }

    /// Does something in the store that has a content, or, if that doesn't work and the content has no other place than
    /// its name, in the other one.
    ///
    /// - Throws: what the store throws that ought to have it.
    private func find<Result>(
        _ reference: JSONValue,
        _ name: String,
        _ body: (any WorkflowStore, JSONValue) async throws -> Result
    ) async throws -> Result {
        let (tier, place) = try Self.read(reference, name)
        let stores: [any WorkflowStore] = tier == .small ? [small, large] : [large, small]
        do {
            return try await body(stores[0], place)
        } catch {
            try Task.checkCancellation()
            guard Self.isName(place, name) else { throw error }
            do {
                return try await body(stores[1], place)
            } catch let other {
                if other is CancellationError { throw other }
                throw error
            }
        }
    }
}

/// A content that both have, since the limit has changed, is listed twice.
extension TieredWorkflowStore: WorkflowStoreOperations
where Small: WorkflowStoreOperations, Large: WorkflowStoreOperations {
    /// The longer one of both.
    public var retention: Duration { max(small.retention, large.retention) }

    /// First what the small store has.
    public func contents(after position: String?) async throws -> StoredContentPage {
        guard let position, position.hasBytePrefix("1") else {
            var page = try await small.contents(after: position.map { String($0.dropFirst()) })
            page.next = page.next.map { "0" + $0 } ?? "1"
            return page
        }
        var page = try await large.contents(after: position.utf8.count == 1 ? nil : String(position.dropFirst()))
        page.next = page.next.map { "1" + $0 }
        return page
    }

    public func stored(named name: String) async throws -> StoredContent? {
        if let content = try await small.stored(named: name) { return content }
        return try await large.stored(named: name)
    }

    public func content(named name: String) async throws -> [UInt8]? {
        if let content = try await small.content(named: name) { return content }
        return try await large.content(named: name)
    }

    public func store(_ content: [UInt8], named name: String) async throws {
        if content.count > limit {
            try await large.store(content, named: name)
        } else {
            try await small.store(content, named: name)
        }
    }

    /// Removes it from both, where it is old.
    @discardableResult
    public func remove(named name: String, olderThan age: Duration) async throws -> Bool {
        let isRemoved = try await small.remove(named: name, olderThan: age)
        return try await large.remove(named: name, olderThan: age) || isRemoved
    }

    public func statistics() async throws -> StorageStatistics {
        var statistics = try await small.statistics()
        statistics.add(try await large.statistics())
        return statistics
    }

    /// Each by its own age, unless one is given.
    public func sweep(olderThan age: Duration?, isDryRun: Bool) async throws -> SweepReport {
        var report = try await small.sweep(olderThan: age, isDryRun: isDryRun)
        report.add(try await large.sweep(olderThan: age, isDryRun: isDryRun))
        return report
    }
}

extension WorkflowStore {
    /// This store for small contents, and another one for large ones.
    ///
    /// - Parameters:
    ///   - limit: the largest content that is kept here, in bytes as the storage gives it.
    ///   - large: keeps the others.
    public func tiered<Large: WorkflowStore>(
        above limit: Int,
        to large: Large
    ) -> TieredWorkflowStore<Self, Large> {
        TieredWorkflowStore(self, limit, large)
    }
}
