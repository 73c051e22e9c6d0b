import Dramatiq

/// One node of a workflow read from JSON, one level deep.
enum JSONNode {
    case message(Message)
    case chain(JSONArray)
    case group(JSONArray, GroupTraits?)
    /// The delay is in milliseconds.
    case withDelay(JSONValue, Int)

    private static let keys =
        ["__type__", "children", "delay", "task", GroupTraits.policyKey, GroupTraits.numberKey]
        + GroupTraits.callbackKeys

    /// - Throws: ``WorkflowError/Code/invalidNode``, ``WorkflowError/Code/invalidFailurePolicy``,
    ///   ``WorkflowError/Code/invalidRunCallbacks``, or `DecodeError` for a message.
    init(_ value: JSONValue) throws {
        guard let object = value.objectValue else { throw Self.invalid("a node must be an object", value) }
        // A message as Python and this library write it, which its first bytes tell. It may still be one in another spelling.
        if object.starts(with: "\"__type__\":\"message\",") {
            self = .message(try Message(object, besides: "__type__"))
            return
        }
        let members = object.narrowed(to: Self.keys)
        switch members["__type__"]?.stringValue.map({ TextKey($0) }) {
        case "message":
            self = .message(try Message(object, besides: "__type__"))
        case "chain":
            guard let children = members["children"]?.arrayValue else {
                throw Self.invalid("a chain needs an array of children", value)
            }
            self = .chain(children)
        case "group":
            guard let children = members["children"]?.arrayValue else {
                throw Self.invalid("a group needs an array of children", value)
            }
            self = .group(children, try GroupTraits(members))
        case "with_delay":
            guard let delay = members["delay"]?.pythonNumber, let task = members["task"] else {
                throw Self.invalid("with_delay needs a delay in milliseconds and a task", value)
            }
            // To Python, what is no number is over at once, whatever is added to it.
            self = .withDelay(task, delay.isNaN ? .min : Int(clampingToInt: delay.rounded(.up)))
        case let type?:
            throw Self.invalid("there are no nodes of type '\(type.text.excerpt(maxBytes: 64))'", value)
        case nil:
            throw Self.invalid("a node must say its __type__", value)
        }
    }

    /// The name of a node that is no message. Only definitions have names: what is sent of a workflow has none.
    ///
    /// - Throws: ``WorkflowError/Code/invalidNode``.
    static func name(of value: JSONValue) throws -> String? {
        guard let name = value.objectValue?["name"], !name.isNull else { return nil }
        guard let text = name.stringValue else { throw invalid("a name must be a string", value) }
        return text
    }

    /// The text of a chain of nodes that are JSON already.
    static func chain(of children: JSONArray) -> JSONValue {
        ["__type__": "chain", "children": .array(children)]
    }

    private static func invalid(_ reason: String, _ value: JSONValue) -> WorkflowError {
        let text = value.encoded()
        return .invalidNode(reason: reason, excerpt: String(decoding: text.prefix(200), as: UTF8.self))
    }
}
