import DequeModule
import NIOCore

/// The requests that could not be sent yet, in the order in which they came.
struct WaitingQueue<Request>: ~Copyable {
    /// A request, or `nil` where one was cancelled.
    private var places: Deque<(id: UInt64, pending: PendingRequest<Request>?)> = []
    private var cancelledCount = 0
    /// How many commands wait.
    private(set) var commandCount = 0

    var isEmpty: Bool { places.isEmpty }
    /// When the oldest request is to be given up.
    var nextDeadline: NIODeadline? { places.first?.pending?.deadline }

    mutating func append(_ pending: PendingRequest<Request>) {
        places.append((pending.id, pending))
        commandCount += pending.commandCount
    }

    /// Removes a request if it is here.
    mutating func cancel(id: UInt64) {
        guard let index = places.firstIndex(ofID: id, \.id), let pending = places[index].pending else { return }
        places[index].pending = nil
        commandCount -= pending.commandCount
        cancelledCount += 1
        // Now and then all at once, so that cancelling many takes no more than a few steps for each.
        if cancelledCount > places.count / 2 {
            places.removeAll { $0.pending == nil }
            cancelledCount = 0
        }
        dropCancelled()
    }

    /// Removes and returns the requests whose time is over.
    mutating func expire(now: NIODeadline) -> [PendingRequest<Request>] {
        var expired: [PendingRequest<Request>] = []
        while let pending = places.first?.pending, pending.deadline <= now {
            places.removeFirst()
            commandCount -= pending.commandCount
            expired.append(pending)
            dropCancelled()
        }
        return expired
    }

    /// Removes and returns all requests.
    mutating func removeAll() -> [PendingRequest<Request>] {
        let all = places.compactMap(\.pending)
        places.removeAll()
        cancelledCount = 0
        commandCount = 0
        return all
    }

    /// The first place is never one of a cancelled request.
    private mutating func dropCancelled() {
        while let first = places.first, first.pending == nil {
            places.removeFirst()
            cancelledCount -= 1
        }
    }
}
