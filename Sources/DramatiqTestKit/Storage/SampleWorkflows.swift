import Dramatiq
import DramatiqWorkflow

/// Remaining workflows of all kinds, for storages to keep.
enum SampleWorkflows {
    static let all: [JSONValue] =
        [
            ["__type__": "chain", "children": []],
            [
                "__type__": "chain",
                "children": [node("ä, €, 👩‍🔬"), ["__type__": "group", "children": [node("a"), node("b")]]],
            ],
            large,
        ]

    /// Some 200 KB.
    static let large: JSONValue =
        ["__type__": "chain", "children": .array(JSONArray((0..<1000).map { node("task \($0)") }))]

    private static func node(_ name: String) -> JSONValue {
        let message = Message(queueName: "promise", actorName: "task", args: [.string(name), 1.5, .double(.infinity)])
        return ["__type__": "with_delay", "delay": 2000, "task": .object(marked(message))]
    }

    private static func marked(_ message: Message) -> JSONObject {
        JSONObject(
            [("__type__", "message")] + (message.jsonValue.objectValue?.members ?? []).map { ($0.key, $0.value) })
    }

    static func callbacks(_ remaining: JSONValue?) -> [CompletionCallback] {
        [
            CompletionCallback(
                completionID: UniqueID.make(), remaining: remaining.map { RemainingWorkflow($0) }, propagates: false),
            CompletionCallback(completionID: UniqueID.make(), remaining: nil, propagates: true),
        ]
    }
}

extension SampleMessages {
    /// A message with a workflow in it.
    static func workflow() -> [Message] {
        [
            Message(
                queueName: "promise", actorName: "workflow",
                options: [
                    WorkflowMiddleware.callbacksOption: [["id", SampleWorkflows.large, false], ["other", nil, true]]
                ])
        ]
    }
}
