import Dramatiq
import TestSupport

/// Messages and bytes to try things with.
enum Samples {
    /// The names of the messages that Python wrote.
    static let messageNames = (try? Fixtures.names(in: "messages")) ?? []

    /// A message as large as one of a workflow with this many tasks left.
    static func message(tasksLeft: Int) -> Message {
        let tasks = (0..<tasksLeft).map { index in
            Message(queueName: "images", actorName: "resize", args: [.string("photos/\(index).jpeg"), 200])
        }
        return Message(
            queueName: "images", actorName: "resize", args: ["photos/first.jpeg", 200],
            options: ["workflow_completion_callbacks": .array(JSONArray(tasks.map(\.jsonValue)))])
    }

    /// A small message of a workflow, with other ids every time.
    static func smallMessage(_ index: Int) -> Message {
        Message(
            queueName: "images", actorName: ["resize", "publish", "rotate"][index % 3],
            args: [.string("photos/\(index * 7919 % 1000).jpeg"), .integer(index % 4 * 100)],
            options: ["workflow_completion_callbacks": [[.string(Message.freshID), .null, true]]])
    }

    static func random(_ count: Int, seed: UInt64) -> [UInt8] {
        var generator = SeededGenerator(seed: seed)
        return (0..<count).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
    }

    /// Text in which parts occur again, near and far.
    static func text(_ count: Int, seed: UInt64) -> [UInt8] {
        var generator = SeededGenerator(seed: seed)
        let words = (0..<200).map { _ in
            (0..<Int.random(in: 2...12, using: &generator)).map { _ in
                UInt8.random(in: UInt8(ascii: "a")...UInt8(ascii: "z"), using: &generator)
            }
        }
        var text: [UInt8] = []
        while text.count < count { text += words.randomElement(using: &generator) ?? [] }
        return Array(text.prefix(count))
    }
}

extension Message {
    fileprivate static var freshID: String { Message(queueName: "", actorName: "").messageID }
}
