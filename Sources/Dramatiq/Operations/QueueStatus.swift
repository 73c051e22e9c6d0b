#if canImport(FoundationEssentials)
    public import FoundationEssentials
#else
    public import Foundation
#endif

/// How a queue does.
public struct QueueStatus: Sendable {
    public var name: String
    /// Whether it is paused: see ``QueueOperations/pause(queue:)``.
    public var isPaused: Bool
    /// How many messages wait for a worker.
    public var waiting: Int
    /// How many messages workers have taken and not ended.
    public var inFlight: Int
    /// How many messages are delayed, those included that a worker holds until they are due.
    public var delayed: Int
    public var deadLetters: Int
    /// The message that is next; `nil` if none waits.
    public var next: Delivery.Payload?
    /// When the oldest dead letter became one; `nil` if there is none.
    public var oldestDeadLetter: Date?
    /// What is wrong with the place where the queue is kept, for a person to read: keys that hold something else. It is
    /// not counted.
    public var problems: [String]

    public init(
        name: String,
        isPaused: Bool = false,
        waiting: Int = 0,
        inFlight: Int = 0,
        delayed: Int = 0,
        deadLetters: Int = 0,
        next: Delivery.Payload? = nil,
        oldestDeadLetter: Date? = nil,
        problems: [String] = []
    ) {
        self.name = name
        self.isPaused = isPaused
        self.waiting = waiting
        self.inFlight = inFlight
        self.delayed = delayed
        self.deadLetters = deadLetters
        self.next = next
        self.oldestDeadLetter = oldestDeadLetter
        self.problems = problems
    }

    /// Whether there is nothing in it, and there are no dead letters.
    public var isEmpty: Bool { waiting == 0 && inFlight == 0 && delayed == 0 && deadLetters == 0 }
}

/// A message as it lies in a queue.
public struct QueuedMessage: Sendable {
    /// What the transport knows it by; `nil` if it has no name for it.
    public let id: String?
    public let payload: Delivery.Payload

    public init(id: String?, payload: Delivery.Payload) {
        self.id = id
        self.payload = payload
    }
}

/// A worker that was heard, or in Python a producer.
public struct WorkerStatus: Sendable, Hashable {
    public let id: String
    /// When it was heard last.
    public let lastHeard: Date

    public init(id: String, lastHeard: Date) {
        self.id = id
        self.lastHeard = lastHeard
    }
}
