import Dramatiq

/// The names of a transport's keys that commands name by themselves; scripts know more of them. All but ``commits(_:)``,
/// ``redelivered(_:)`` and ``paused`` are dramatiq's.
struct RedisKeys: Sendable {
    let namespace: String

    /// What the scripts of this transport name as their keys: a cluster then refuses a namespace whose keys don't lie in
    /// one slot.
    func scriptKeys(_ transport: String) -> [String] { [namespace, commits(transport)] }

    /// A queue's ids: a list.
    func queue(_ name: String) -> String { "\(namespace):\(name)" }
    /// A queue's messages by id, those that are being processed included: a hash.
    func messages(_ name: String) -> String { "\(namespace):\(name).msgs" }
    /// The ids that a worker has taken from a queue and not settled: a set.
    func taken(worker: String, queue: String) -> String { "\(takenPrefix)\(worker).\(queue)" }
    var takenPrefix: String { "\(namespace):__acks__." }
    /// When each dead letter of a queue became one, in milliseconds since 1970: a sorted set.
    func deadLetters(_ queue: String) -> String { "\(namespace):\(QueueName.deadLetter(queue))" }
    /// What became of a transport's latest commits, until it has heard of it: a hash.
    func commits(_ transport: String) -> String { "\(namespace):__commits__.\(transport)" }

    /// The ids of a queue's messages that came back and have not ended, with the number of workers that were lost over
    /// each, the one that has it now included if it is under way: a hash.
    func redelivered(_ queue: String) -> String { "\(namespace):__redelivered__.\(queue)" }

    /// The names of the queues that are paused: a set.
    var paused: String { "\(namespace):__paused__" }

    /// A text as a pattern of `SCAN` that matches it alone.
    static func escaped(_ text: String) -> String {
        var pattern = ""
        for character in text {
            if "\\*?[]^-".contains(character) { pattern.append("\\") }
            pattern.append(character)
        }
        return pattern
    }
}
