import Dramatiq
import HeapModule

/// What a worker has taken from a delay queue and waits for: in the order in which it is due, and of what is due at the
/// same time in the order in which it came.
struct WaitingMessages {
    /// A message that waits, by its id in Redis.
    struct Message {
        let id: String
        /// In milliseconds since 1970.
        let eta: Int
        /// The message; `nil` if there was no room for it, so that it has to be fetched again.
        var payload: Delivery.Payload?
        /// How many bytes it takes to keep it.
        let size: Int
        /// ``TakenMessage/crashes``.
        var crashes: UInt16?
    }

    fileprivate struct Entry: Comparable {
        var message: Message
        let sequence: UInt64

        static func < (left: Entry, right: Entry) -> Bool {
            (left.message.eta, left.sequence) < (right.message.eta, right.sequence)
        }

        static func == (left: Entry, right: Entry) -> Bool { left.sequence == right.sequence }
    }

    private let maxSize: Int
    private var heap = Heap<Entry>()
    private var nextSequence: UInt64 = 0
    /// How many bytes the messages take that are kept.
    private var size = 0

    /// - Parameter maxSize: how many bytes of messages are kept at most. Of the others there are only ids and times.
    init(maxSize: Int) {
        self.maxSize = maxSize
    }

    var count: Int { heap.count }

    /// When the first one is due, in milliseconds since 1970.
    var firstETA: Int? { heap.min?.message.eta }

    mutating func add(_ messages: [Message]) {
        for message in messages {
            nextSequence += 1
            put(Entry(message: message, sequence: nextSequence))
        }
    }

    /// Takes out what is due.
    mutating func due(_ now: Int, limit: Int) -> Batch {
        var batch = Batch()
        while batch.entries.count < limit, let first = heap.min, first.message.eta <= now {
            batch.entries.append(take(heap.removeMin()))
        }
        return batch
    }

    /// Takes out what is due last, as much as there is beyond a limit.
    mutating func excess(over limit: Int) -> Batch {
        var batch = Batch()
        while heap.count > limit { batch.entries.append(take(heap.removeMax())) }
        return batch
    }

    /// Puts back what was taken out, in its old place.
    mutating func putBack(_ batch: Batch) {
        for entry in batch.entries { put(entry) }
    }

    private mutating func put(_ entry: Entry) {
        var entry = entry
        if entry.message.payload != nil {
            if size + entry.message.size <= maxSize {
                size += entry.message.size
            } else {
                entry.message.payload = nil
            }
        }
        heap.insert(entry)
    }

    private mutating func take(_ entry: Entry) -> Entry {
        if entry.message.payload != nil { size -= entry.message.size }
        return entry
    }

    /// What was taken out, with its places.
    struct Batch {
        fileprivate var entries: [Entry] = []

        var isEmpty: Bool { entries.isEmpty }
        var messages: some Sequence<Message> { entries.lazy.map(\.message) }
        var ids: [String] { entries.map(\.message.id) }
    }
}
