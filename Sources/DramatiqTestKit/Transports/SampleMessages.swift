import Dramatiq

/// Messages of all kinds, for transports and encoders to carry.
enum SampleMessages {
    static func all(queue: String = "promise") -> [Message] {
        [
            Message(queueName: queue, actorName: "plain"),
            Message(queueName: queue, actorName: "text", args: ["ä, €, 👩‍🔬, \u{0}, \u{2028}, \\, \""]),
            Message(
                queueName: queue, actorName: "numbers",
                args: [
                    0, -1, 1.5, .integer(.max), .integer(.min), 1e300, .double(.infinity), .double(-.infinity), true,
                    nil,
                ]),
            Message(
                queueName: queue, actorName: "nested", args: [[[[]], [:], ["a": ["b": [1, 2, 3]]]]],
                kwargs: ["z": 1, "a": 2, "ключ": nil]),
            Message(
                queueName: queue, actorName: "options", options: ["mine": "kept", "other": ["x", 1], "retries": 3]),
            Message(
                queueName: queue, actorName: "large",
                args: [.string(String(repeating: "0123456789abcdef", count: 20_000))]),
        ]
    }
}
