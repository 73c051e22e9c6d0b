import Dramatiq
import Foundation

/// A message of a workflow: a task, and the tasks that come after it.
struct SampleMessage {
    let name: String
    /// What the encoders shall reach of their C library's speed.
    let aim: Double
    let message: Message
    let json: [UInt8]

    /// - Parameter size: about how many bytes of JSON.
    init(_ name: String, size: Int, aim: Double) throws {
        self.name = name
        self.aim = aim
        // The same ids in every run, as different from each other as real ones.
        var state: UInt64 = 1
        func id() -> String {
            func word(_ digits: Int) -> String {
                state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                return String(format: "%0\(digits)llx", state >> UInt64(64 - 4 * digits))
            }
            return "\(word(8))-\(word(4))-4\(word(3))-a\(word(3))-\(word(12))"
        }
        func task(_ number: Int) -> Message {
            Message(
                queueName: "images", actorName: ["resize", "publish", "rotate"][number % 3],
                args: [.string("albums/2026/photo-\(1000 + number * 7).png"), .integer(number * 100)],
                messageID: id(), messageTimestamp: MessageTimestamp(milliseconds: 1_795_434_026_512 + number))
        }
        var message = task(0)
        var rest: [JSONValue] = []
        var json: [UInt8] = []
        while json.count < size {
            rest.append(task(rest.count + 1).jsonValue)
            message.options["workflow_completion_callbacks"] = [
                [.string(id()), ["__type__": "chain", "children": .array(JSONArray(rest))], false]
            ]
            json = try JSONMessageEncoder().encode(message)
        }
        // As a worker has it that sends it on.
        self.message = try JSONMessageEncoder().decode(json)
        self.json = json
    }
}
