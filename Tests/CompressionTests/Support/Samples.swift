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

    /// A small message of a workflow, with other ids for every index.
    static func smallMessage(_ index: Int) -> Message {
        var generator = SeededGenerator(seed: UInt64(index))
        return Message(
            queueName: "images", actorName: ["resize", "publish", "rotate"][index % 3],
            args: [.string("photos/\(index * 7919 % 1000).jpeg"), .integer(index % 4 * 100)],
            options: ["workflow_completion_callbacks": [[.string(id(&generator)), .null, true]]],
            messageID: id(&generator), messageTimestamp: MessageTimestamp(milliseconds: 1_795_434_026_514 + index * 917)
        )
    }

    private static func id(_ generator: inout SeededGenerator) -> String {
        let digits = (0..<32).map { _ in String(Int.random(in: 0..<16, using: &generator), radix: 16) }.joined()
        return [0..<8, 8..<12, 12..<16, 16..<20, 20..<32].map { digits.dropFirst($0.lowerBound).prefix($0.count) }
            .joined(separator: "-")
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
