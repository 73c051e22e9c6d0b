public import Dramatiq
import Foundation

/// A transport whose operations are only what they have to be: everything that has a default is that.
public struct PlainTransport: TransportWrapper {
    public let base: any Transport
    private let fault: PlainOperations.Fault?

    /// - Parameter fault: what is wrong with its operations.
    public init(_ base: any Transport, fault: PlainOperations.Fault? = nil) {
        self.base = base
        self.fault = fault
    }

    public var operations: (any QueueOperations)? {
        base.operations.map { PlainOperations(base: $0, fault: fault) }
    }
}

public struct PlainOperations: QueueOperations {
    /// What can be wrong.
    public enum Fault: Sendable {
        case forgetsDelayedMessages, ignoresLimits, ignoresOffsets, flushesNothing, keepsWhatItRequeues, findsAnything,
            countsOneAfterAnother
    }

    let base: any QueueOperations
    let fault: Fault?

    public func queueNames() async throws -> [String] { try await base.queueNames() }

    public func status(queue: String) async throws -> QueueStatus {
        var status = try await base.status(queue: queue)
        if fault == .forgetsDelayedMessages { status.delayed = 0 }
        return status
    }

    public func sample(queue: String, limit: Int) async throws -> [QueuedMessage] {
        try await base.sample(queue: queue, limit: fault == .ignoresLimits ? .max : limit)
    }

    public func unfinishedCount(queues: [String]) async throws -> Int {
        guard fault == .countsOneAfterAnother || fault == .forgetsDelayedMessages else {
            return try await base.unfinishedCount(queues: queues)
        }
        var count = 0
        for queue in queues {
            let status = try await status(queue: queue)
            count += status.waiting + status.inFlight + status.delayed
            await Task.yield()
        }
        return count
    }

    public func flush(queue: String) async throws -> Int {
        fault == .flushesNothing ? try await base.status(queue: queue).waiting : try await base.flush(queue: queue)
    }

    public func deadLetters(queue: String, offset: Int, limit: Int) async throws -> [DeadLetter] {
        if fault == .ignoresOffsets, offset < 20 {
            return try await base.deadLetters(queue: queue, offset: 0, limit: limit)
        }
        return try await base.deadLetters(queue: queue, offset: offset, limit: limit)
    }

    public func deadLetter(_ id: String, queue: String) async throws -> DeadLetter {
        if fault == .findsAnything {
            return DeadLetter(id: id, queueName: queue, payload: .bytes([]), reason: "", timestamp: .distantPast)
        }
        return try await base.deadLetter(id, queue: queue)
    }

    public func requeueDeadLetter(_ id: String, queue: String, encoder: any MessageEncoder) async throws {
        if fault == .keepsWhatItRequeues { return }
        try await base.requeueDeadLetter(id, queue: queue, encoder: encoder)
    }

    public func removeDeadLetter(_ id: String, queue: String) async throws {
        try await base.removeDeadLetter(id, queue: queue)
    }
}
