import Dramatiq

/// The results that a message takes before its own arguments, as it carries them (`workflow_taken_results`): where they are,
/// never what they are.
///
///     {"take": [{"ids": "3b0c…:0", "first": 0, "of": {"all": [{"queue": "images", "actor": "measure", "times": 1000}]}}]}
///
/// The ids of the messages whose results are taken are derived from a text and a number that counts up in the order of the
/// definition, so a group of any size takes a few words.
struct TakenResults {
    static let option = Message.takenResultsOption
    /// The most results that a message can take.
    static let maxCount = 100_000
    /// How deep groups may be nested whose results are taken.
    static let maxDepth = 64
    /// The longest text of the option, in bytes.
    static let maxSize = 1 << 16

    /// How a result is made up of those of messages.
    indirect enum Shape: Equatable {
        case message(queueName: String, actorName: String)
        case list([Run])
        /// That of an empty chain.
        case nothing

        /// A shape several times in a row.
        struct Run: Equatable {
            var shape: Shape
            var count: Int
        }

        static func == (left: Shape, right: Shape) -> Bool {
            switch (left, right) {
            case (.message(let leftQueue, let leftActor), .message(let rightQueue, let rightActor)):
                leftActor.hasSameBytes(as: rightActor) && leftQueue.hasSameBytes(as: rightQueue)
            case (.list(let left), .list(let right)): left == right
            case (.nothing, .nothing): true
            default: false
            }
        }
    }

    /// One result, which becomes one argument.
    struct Reference {
        /// What the ids of its messages are derived from.
        var ids: String
        /// The number of the first of them.
        var first: Int
        var shape: Shape
    }

    var references: [Reference]
}

// MARK: Writing

extension TakenResults {
    var jsonValue: JSONValue { ["take": .array(JSONArray(references.map(\.jsonValue)))] }
}

extension TakenResults.Reference {
    var jsonValue: JSONValue { ["ids": .string(ids), "first": .integer(first), "of": shape.jsonValue(count: 1)] }
}

extension TakenResults.Shape {
    fileprivate func jsonValue(count: Int) -> JSONValue {
        var members: [(String, JSONValue)] = []
        switch self {
        case .message(let queueName, let actorName):
            members = [("queue", .string(queueName)), ("actor", .string(actorName))]
        case .list(let runs):
            members = [("all", .array(JSONArray(runs.map { $0.shape.jsonValue(count: $0.count) })))]
        case .nothing: break
        }
        if count > 1 { members.append(("times", .integer(count))) }
        return .object(JSONObject(members))
    }
}

// MARK: Reading

extension TakenResults {
    /// Reads what a message carries, which can be anything.
    ///
    /// - Throws: ``WorkflowError/Code/invalidResults``.
    init(_ value: JSONValue) throws(WorkflowError) {
        guard let object = value.objectValue else {
            throw .invalidResults(
                value.arrayValue == nil
                    ? "it must be an object"
                    : "the message takes results of a workflow and was not sent as a part of one")
        }
        let size = value.encoded().count
        guard size <= Self.maxSize else { throw .invalidResults("it has \(size) bytes, of \(Self.maxSize) at most") }
        guard let taken = object["take"]?.arrayValue else { throw .invalidResults("\"take\" must be a list") }
        references = []
        for element in taken.elements {
            guard let object = element.objectValue, let ids = object["ids"]?.stringValue,
                ids.utf8.count <= Message.maxNameSize, let first = object["first"]?.intValue,
                0...Int(UInt32.max) ~= first
            else { throw .invalidResults("what is taken must say its \"ids\" and its \"first\"") }
            let shape = try Self.shape(object["of"] ?? .null, depth: 0)
            references.append(Reference(ids: ids, first: first, shape: shape.shape))
        }
    }

    private static func shape(_ value: JSONValue, depth: Int) throws(WorkflowError) -> Shape.Run {
        guard depth <= maxDepth else { throw .invalidResults("it is nested deeper than \(maxDepth) levels") }
        guard let object = value.objectValue else { throw .invalidResults("the shape of a result must be an object") }
        var count = 1
        if let times = object["times"] {
            guard depth > 0, let number = times.intValue, 1...maxCount ~= number else {
                throw .invalidResults("\"times\" must be a number up to \(maxCount), in a list")
            }
            count = number
        }
        if let all = object["all"] {
            guard let list = all.arrayValue else { throw .invalidResults("\"all\" must be a list") }
            var runs: [Shape.Run] = []
            for element in list.elements { runs.append(try shape(element, depth: depth + 1)) }
            return Shape.Run(shape: .list(runs), count: count)
        }
        if object["queue"] == nil, object["actor"] == nil { return Shape.Run(shape: .nothing, count: count) }
        guard let queue = object["queue"]?.stringValue, let actor = object["actor"]?.stringValue,
            max(queue.utf8.count, actor.utf8.count) <= Message.maxNameSize
        else { throw .invalidResults("a result must say its \"queue\" and its \"actor\"") }
        return Shape.Run(shape: .message(queueName: queue, actorName: actor), count: count)
    }

    /// Under which keys the results are kept, in the order in which they are taken.
    ///
    /// - Throws: ``WorkflowError/Code/invalidResults`` if there are too many.
    func keys() throws(WorkflowError) -> [ResultKey] {
        var keys: [ResultKey] = []
        // Lists count as well, since there could be any number of empty ones.
        var left = Self.maxCount
        func add(_ shape: Shape, _ reference: Reference, _ number: inout Int) throws(WorkflowError) {
            left -= 1
            guard left >= 0 else { throw .invalidResults("it takes more than \(Self.maxCount) results") }
            switch shape {
            case .nothing: break
            case .message(let queueName, let actorName):
                let id = UniqueID.derived(from: reference.ids, number)
                keys.append(ResultKey(queueName: queueName, actorName: actorName, messageID: id))
                number += 1
            case .list(let runs):
                for run in runs { for _ in 0..<run.count { try add(run.shape, reference, &number) } }
            }
        }
        for reference in references {
            var number = reference.first
            try add(reference.shape, reference, &number)
        }
        return keys
    }

    /// The arguments that results make, one for each that is taken.
    ///
    /// - Parameter values: as many as there are ``keys()``, in their order.
    func arguments(_ values: [JSONValue]) -> [JSONValue] {
        var values = values[...]
        func argument(_ shape: Shape) -> JSONValue {
            switch shape {
            case .nothing: return .null
            case .message: return values.popFirst() ?? .null
            case .list(let runs):
                var elements: [JSONValue] = []
                for run in runs { for _ in 0..<run.count { elements.append(argument(run.shape)) } }
                return .array(JSONArray(elements))
            }
        }
        return references.map { argument($0.shape) }
    }
}
