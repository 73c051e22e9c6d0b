public import Dramatiq

/// The result of an earlier step of a workflow, as a later one takes it.
///
///     Chain {
///         Group { for path in paths { measure.message(path) } }.named("sizes")
///         publish.message("summer")
///         Message(report, taking: .previous, .named("sizes"), "summer")
///     }
///
/// The result of a message is what its actor returns, that of a pipeline what its last message returns, that of a chain
/// what its last step has, and that of a group an array of what its members have, in the order of the definition. A
/// delay changes nothing. A task that has failed for good or was skipped, and whose workflow has gone on, has `null`,
/// and so has an empty chain.
public struct WorkflowResult: Sendable, Hashable {
    /// `nil` for the step before.
    let name: String?

    /// That of the step before in the chain: where a group or a chain begins, of the step before that.
    public static let previous = WorkflowResult(name: nil)

    /// That of an earlier step with a name, which is on the way to the one that takes it: not one that runs beside it.
    ///
    /// - Parameter name: see ``WorkflowComponent/named(_:)``. Names are compared as bytes.
    public static func named(_ name: String) -> WorkflowResult { WorkflowResult(name: name) }

    public static func == (left: WorkflowResult, right: WorkflowResult) -> Bool {
        left.name.map { TextKey($0) } == right.name.map { TextKey($0) }
    }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(name.map { TextKey($0) })
    }
}

extension WorkflowComponent {
    /// The same with a name, for later steps to take its result by.
    ///
    /// - Parameter name: unique in the workflow, or running it throws ``WorkflowError/Code/resultNameRepeated``. It takes
    ///   the place of an earlier one.
    public func named(_ name: String) -> WorkflowNode {
        let node = node
        if case .message(let message) = node.content { return .message(message.named(name)) }
        return WorkflowNode(node.content, resultName: name, traits: node.traits)
    }
}

extension Message {
    /// The option of a definition's messages that says under which name later steps take their results.
    static let resultNameOption = "workflow_result_name"
    /// The option that says which results a message takes. In a definition it is a list, with `null` for the step before;
    /// what is sent carries an object, which says where they are.
    static let takenResultsOption = "workflow_taken_results"

    /// The same with a name, for later steps of its workflow to take its result by: see ``WorkflowComponent/named(_:)``.
    public func named(_ name: String) -> Message {
        var message = self
        message.options[Self.resultNameOption] = .string(name)
        return message
    }

    /// The same with results of earlier steps of its workflow before its own arguments, in place of those that it took.
    ///
    /// For messages that are made by name; with a `TaskActor`, ``init(_:taking:_:)`` has the compiler check the other
    /// arguments. Results are looked up when a worker is about to run the message, and decoded as any argument: one that
    /// doesn't fit makes it a dead letter.
    public func taking(_ results: WorkflowResult...) -> Message { taking(results) }

    func taking(_ results: [WorkflowResult]) -> Message {
        var message = self
        message.options[Self.takenResultsOption] =
            results.isEmpty ? nil : .array(JSONArray(results.map { $0.name.map { .string($0) } ?? .null }))
        return message
    }

    var resultName: String? { options.value(Self.resultNameOption)?.stringValue }

    /// Whether it has a name or takes results.
    var usesResults: Bool {
        !options.isEmpty && (options.has(Self.takenResultsOption) || options.has(Self.resultNameOption))
    }

    /// What the message of a definition takes.
    ///
    /// - Throws: ``WorkflowError/Code/invalidResults``.
    func takenResults() throws(WorkflowError) -> [WorkflowResult] {
        guard let value = options.value(Self.takenResultsOption) else { return [] }
        guard let array = value.arrayValue else {
            throw .invalidResults("in a definition it is a list, not \(value.description.excerpt(maxBytes: 64))")
        }
        var results: [WorkflowResult] = []
        for element in array.elements {
            guard element.isNull || element.stringValue != nil else {
                throw .invalidResults(
                    "a result is asked for by a name, not \(element.description.excerpt(maxBytes: 64))")
            }
            results.append(WorkflowResult(name: element.stringValue))
        }
        return results
    }
}

extension Message {
    /// A message whose first argument is the result of an earlier step of its workflow.
    ///
    ///     Message(publish, taking: .previous, "summer")      // publish takes the result, and an album
    ///
    /// The result is looked up when a worker is about to run the message, and decoded as the actor's first argument: one
    /// that doesn't fit makes the message a dead letter.
    ///
    /// - Parameters:
    ///   - actor: what to run.
    ///   - result: where the first argument comes from.
    ///   - arguments: the others.
    public init<First: Codable & Sendable, each Rest: Codable & Sendable, Output: Sendable>(
        _ actor: TaskActor<First, repeat each Rest, Output>,
        taking result: WorkflowResult,
        _ arguments: repeat each Rest
    ) {
        self = TaskActor<repeat each Rest, Void>(rest: actor).message(repeat each arguments).taking([result])
    }

    /// A message whose first two arguments are results of earlier steps of its workflow: see ``init(_:taking:_:)``.
    public init<
        First: Codable & Sendable, Second: Codable & Sendable, each Rest: Codable & Sendable, Output: Sendable
    >(
        _ actor: TaskActor<First, Second, repeat each Rest, Output>,
        taking first: WorkflowResult,
        _ second: WorkflowResult,
        _ arguments: repeat each Rest
    ) {
        self = TaskActor<repeat each Rest, Void>(rest: actor).message(repeat each arguments).taking([first, second])
    }

    /// A message whose first three arguments are results of earlier steps of its workflow: see ``init(_:taking:_:)``.
    public init<
        First: Codable & Sendable, Second: Codable & Sendable, Third: Codable & Sendable,
        each Rest: Codable & Sendable, Output: Sendable
    >(
        _ actor: TaskActor<First, Second, Third, repeat each Rest, Output>,
        taking first: WorkflowResult,
        _ second: WorkflowResult,
        _ third: WorkflowResult,
        _ arguments: repeat each Rest
    ) {
        self = TaskActor<repeat each Rest, Void>(rest: actor).message(repeat each arguments)
            .taking([first, second, third])
    }
}

extension TaskActor where Output == Void {
    /// An actor that only makes messages for another one, with fewer arguments.
    fileprivate init(rest actor: some AnyTaskActor) {
        self.init(actor.name, queue: actor.queueName) { (_: repeat each Argument) in }
    }
}
