import Dramatiq
import Synchronization

/// How many messages a worker has at one moment, by queue and actor.
struct Sample: Sendable {
    struct Count: Sendable {
        var running = 0
        var delayed = 0
    }

    private var counts: [ActorKey: Count] = [:]

    init() {}

    init(of worker: Worker, _ table: FigureTable) {
        for message in worker.running {
            counts[table.figures(queue: message.delivery.queueName, actor: message.actor.name).key, default: Count()]
                .running += 1
        }
        // There can be a hundred thousand, most of them after one of the same actor.
        var last: (queue: String, actor: String?, key: ActorKey)?
        var count = 0
        func add() {
            if let last { counts[last.key, default: Count()].delayed += count }
            count = 0
        }
        worker.forEachDelayed { queue, actor in
            if let last, last.queue.hasSameBytes(as: queue), last.actor.hasSameBytes(as: actor) {
                count += 1
                return
            }
            add()
            last = (queue, actor, table.figures(queue: queue, actor: actor).key)
            count = 1
        }
        add()
    }

    subscript(key: ActorKey) -> Count { counts[key] ?? Count() }

    fileprivate mutating func add(_ other: Sample) {
        for (key, count) in other.counts {
            counts[key, default: Count()].running += count.running
            counts[key, default: Count()].delayed += count.delayed
        }
    }

    fileprivate var isEmpty: Bool { counts.isEmpty }
}

/// The latest samples of all workers of a broker.
final class SampleTable: Sendable {
    private let samples = Mutex<[ObjectIdentifier: Sample]>([:])

    /// What all workers have, now that one of them has been looked at.
    func total(with sample: Sample, of worker: Worker) -> Sample {
        samples.withLock { samples in
            samples[ObjectIdentifier(worker)] = sample.isEmpty ? nil : sample
            return samples.values.reduce(into: Sample()) { $0.add($1) }
        }
    }
}

extension String? {
    fileprivate func hasSameBytes(as other: String?) -> Bool {
        switch (self, other) {
        case (let left?, let right?): left.hasSameBytes(as: right)
        case (nil, nil): true
        default: false
        }
    }
}
