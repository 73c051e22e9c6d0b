public import Dramatiq
public import DramatiqWorkflow
import Synchronization

/// Counts what goes through a wrapper.
public final class CallCounter: Sendable {
    private let counts = Mutex<[String: Int]>([:])

    public init() {}

    public func add(_ call: String) { counts.withLock { $0[call, default: 0] += 1 } }
    public subscript(_ call: String) -> Int { counts.withLock { $0[call] ?? 0 } }
}

// Wrappers as somebody writes them who wants to know what goes through, and nothing else.

public struct CountedTransport: TransportWrapper {
    public let base: any Transport
    public let calls: CallCounter

    public init(_ base: any Transport, _ calls: CallCounter = CallCounter()) { (self.base, self.calls) = (base, calls) }

    public func includes(_ backend: any ResultBackend) -> Bool { base.includes(backend) }
    public func commit(_ commits: [Commit]) async -> [Result<CommitResult, any Error>] {
        calls.add("commit")
        return await base.commit(commits)
    }
    public func commitNow(_ commit: Commit) -> Result<CommitResult, any Error>? {
        calls.add("commitNow")
        return base.commitNow(commit)
    }
    public func consumer(of queue: String, _ options: ConsumerOptions) async throws -> any TransportConsumer {
        CountedConsumer(try await base.consumer(of: queue, options), calls)
    }
}

public final class CountedConsumer: TransportConsumer {
    private let base: any TransportConsumer
    private let calls: CallCounter

    init(_ base: any TransportConsumer, _ calls: CallCounter) { (self.base, self.calls) = (base, calls) }

    public var innermost: any TransportConsumer { base.innermost }
    public func next(limit: Int) async throws -> [Delivery] {
        calls.add("next")
        return try await base.next(limit: limit)
    }
    public func takeNow() -> Delivery? {
        calls.add("takeNow")
        return base.takeNow()
    }
    public func close() async { await base.close() }
    public func finish(by deadline: ContinuousClock.Instant) { base.finish(by: deadline) }
}

public struct CountedStore: StateStore {
    let base: any StateStore
    let calls: CallCounter

    public init(_ base: any StateStore, _ calls: CallCounter = CallCounter()) {
        (self.base, self.calls) = (base, calls)
    }

    public var identity: StoreIdentity { base.identity }
    public var runStore: (any RunStore)? { base.runStore }
    public var atomicity: StateAtomicity { base.atomicity }
    public var barrierKeyPrefix: String { base.barrierKeyPrefix }
    public func apply(_ steps: StateCommit) async throws -> StateCommit.Result {
        calls.add("apply")
        return try await base.apply(steps)
    }
}

public struct CountedBackend: NotifyingBackend {
    let base: any NotifyingBackend
    let calls: CallCounter

    public init(_ base: any NotifyingBackend, _ calls: CallCounter = CallCounter()) {
        (self.base, self.calls) = (base, calls)
    }

    public func add(_ key: String, value: Int, ttl: Duration) async throws -> Bool {
        calls.add("add")
        return try await base.add(key, value: value, ttl: ttl)
    }
    public func incr(_ key: String, amount: Int, maximum: Int, ttl: Duration) async throws -> Bool {
        try await base.incr(key, amount: amount, maximum: maximum, ttl: ttl)
    }
    public func decr(_ key: String, amount: Int, minimum: Int, ttl: Duration) async throws -> Bool {
        try await base.decr(key, amount: amount, minimum: minimum, ttl: ttl)
    }
    public nonisolated(nonsending) func incrAndSum(
        _ key: String, keys: @Sendable () -> [String], amount: Int, maximum: Int, ttl: Duration
    ) async throws -> Bool {
        try await base.incrAndSum(key, keys: keys, amount: amount, maximum: maximum, ttl: ttl)
    }
    public func acquire(_ key: String, limit: Int, holder: String, ttl: Duration) async throws -> Bool {
        calls.add("acquire")
        return try await base.acquire(key, limit: limit, holder: holder, ttl: ttl)
    }
    public func release(_ key: String, holder: String, ttl: Duration) async throws {
        try await base.release(key, holder: holder, ttl: ttl)
    }
    public func wait(_ key: String, timeout: Duration) async throws -> Bool {
        try await base.wait(key, timeout: timeout)
    }
    public func notify(_ key: String, ttl: Duration) async throws { try await base.notify(key, ttl: ttl) }
}

public struct CountedStorage: CallbackStorage {
    let base: any CallbackStorage
    let calls: CallCounter

    public init(_ base: any CallbackStorage, _ calls: CallCounter = CallCounter()) {
        (self.base, self.calls) = (base, calls)
    }

    public func store(_ callbacks: [CompletionCallback]) async throws -> JSONValue {
        calls.add("store")
        return try await base.store(callbacks)
    }
    public func storeForRun(_ callbacks: [CompletionCallback]) async throws -> StoredCallbacks {
        calls.add("store")
        return try await base.storeForRun(callbacks)
    }
    public func remove(_ contents: [String]) async throws { try await base.remove(contents) }
    public func retrieve(_ reference: JSONValue) async throws -> [CompletionCallback] {
        calls.add("retrieve")
        return try await base.retrieve(reference)
    }
    public func retrieveNow(_ reference: JSONValue) throws -> [CompletionCallback]? {
        calls.add("retrieveNow")
        return try base.retrieveNow(reference)
    }
    public func refresh(_ reference: JSONValue, for wait: Duration) async throws {
        try await base.refresh(reference, for: wait)
    }
}
