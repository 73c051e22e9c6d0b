public import Dramatiq
public import DramatiqWorkflow
import Synchronization

/// Keeps workflows in this process's memory, for tests and for programs of one process. Counts what it is asked for.
///
/// Nothing is removed unless you do it, and nothing outlives the process.
public final class InMemoryWorkflowStore: WorkflowStore {
    private struct State {
        var numbers: [[UInt8]: Int] = [:]
        var contents: [Int: [UInt8]] = [:]
        var lastNumber = 0
        var counts = Counts()

        func content(_ reference: JSONValue) throws(NotStored) -> [UInt8] {
            guard case .integer(let number) = reference, let content = contents[number] else {
                throw NotStored(reference: reference)
            }
            return content
        }
    }

    /// How often the store was asked for what.
    public struct Counts: Sendable, Hashable {
        public var stores = 0
        public var loads = 0
        public var refreshes = 0
    }

    private let state = Mutex(State())

    public init() {}

    public var name: String { "memory" }

    /// How often the store was asked for what.
    public var counts: Counts { state.withLock(\.counts) }
    /// How many workflows there are; the same one stored twice counts once.
    public var count: Int { state.withLock(\.contents.count) }

    public func store(_ workflow: [UInt8], completionID: String) async throws -> JSONValue {
        state.withLock { state in
            state.counts.stores += 1
            if let number = state.numbers[workflow] { return .integer(number) }
            state.lastNumber += 1
            state.numbers[workflow] = state.lastNumber
            state.contents[state.lastNumber] = workflow
            return .integer(state.lastNumber)
        }
    }

    /// - Throws: ``NotStored``.
    public func load(_ reference: JSONValue, completionID: String) async throws -> [UInt8] {
        try state.withLock { state in
            state.counts.loads += 1
            return try state.content(reference)
        }
    }

    /// - Throws: ``NotStored``.
    public func refresh(_ reference: JSONValue, completionID: String) async throws {
        try state.withLock { state in
            state.counts.refreshes += 1
            _ = try state.content(reference)
        }
    }

    /// Forgets all workflows; no reference to one of them will ever mean another.
    public func removeAll() {
        state.withLock { state in
            state.numbers = [:]
            state.contents = [:]
        }
    }

    /// There is no workflow with that reference.
    public struct NotStored: Error, Sendable, CustomStringConvertible {
        public let reference: JSONValue
        public var description: String { "There is no workflow \(reference) in memory" }
    }
}
