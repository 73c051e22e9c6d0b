import Dramatiq

/// What a group says besides its members.
struct GroupTraits: Sendable, Hashable {
    var policy: WorkflowFailurePolicy?
    var onSuccess: Message?
    var onFailure: Message?
    var onEnd: Message?
    /// Where its run keeps its callbacks. What is sent of a workflow has this in their place.
    var number: Int?

    init(
        policy: WorkflowFailurePolicy? = nil,
        onSuccess: Message? = nil,
        onFailure: Message? = nil,
        onEnd: Message? = nil,
        number: Int? = nil
    ) {
        self.policy = policy
        (self.onSuccess, self.onFailure, self.onEnd) = (onSuccess, onFailure, onEnd)
        self.number = number
    }

    static let (policyKey, numberKey) = ("failure_policy", "callbacks")
    static let callbackKeys = ["on_success", "on_failure", "on_end"]

    var callbacks: [Message?] { [onSuccess, onFailure, onEnd] }
    var hasCallbacks: Bool { onSuccess != nil || onFailure != nil || onEnd != nil }
    var isEmpty: Bool { policy == nil && number == nil && !hasCallbacks }

    /// Those of a group's JSON; `nil` if it says nothing.
    ///
    /// - Throws: ``WorkflowError/Code/invalidFailurePolicy``, ``WorkflowError/Code/invalidRunCallbacks``, or `DecodeError` for a
    ///   message.
    init?(_ members: JSONObject) throws {
        self.init(policy: try WorkflowFailurePolicy(members[Self.policyKey]))
        if let policy, policy.address != nil { throw WorkflowError.untrackedPolicy(policy) }
        if let value = members[Self.numberKey], !value.isNull {
            guard let number = value.intValue, number >= 0 else {
                throw WorkflowError.invalidRunCallbacks("those of a group have a number, from 0")
            }
            self.number = number
        }
        func message(_ key: String) throws -> Message? {
            guard let value = members[key], !value.isNull else { return nil }
            guard let object = value.objectValue else {
                throw WorkflowError.invalidRunCallbacks("each is a message, as an object")
            }
            return try Message(object)
        }
        onSuccess = try message(Self.callbackKeys[0])
        onFailure = try message(Self.callbackKeys[1])
        onEnd = try message(Self.callbackKeys[2])
        if isEmpty { return nil }
    }

    /// Writes them before a group's other members.
    func write(into writer: inout JSONWriter) throws {
        func write(_ key: String, _ value: JSONValue) {
            writer.write(.string(key))
            writer.append(UInt8(ascii: ":"))
            writer.write(value)
            writer.append(UInt8(ascii: ","))
        }
        if let policy { write(Self.policyKey, policy.jsonValue) }
        if let number { write(Self.numberKey, .integer(number)) }
        for case (let key, let message?) in zip(Self.callbackKeys, callbacks) {
            if let failure = message.argumentFailure { throw failure }
            write(key, message.jsonValue)
        }
    }
}

extension GroupTraits: CustomStringConvertible {
    /// As one writes them after the members.
    var description: String {
        var text = policy.map { ", failurePolicy: \($0)" } ?? ""
        for case (let name, let message?) in zip(["onSuccess", "onFailure", "onEnd"], callbacks) {
            text += ", \(name): \(message)"
        }
        return text
    }
}
