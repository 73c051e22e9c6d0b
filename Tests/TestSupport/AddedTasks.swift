public import Dramatiq
import DramatiqWorkflow

/// Tasks of a ``RandomTree`` that others add when they run. Their messages say which, and their actor does it.
public enum AddedTasks {
    private static let option = "test_adds"

    /// Whether the actor of a message adds tasks: Python's don't.
    static func isPossible(_ message: Message) -> Bool { message.actorName != "python" }

    static func note(_ nodes: [WorkflowNode], _ message: inout Message) {
        let values = nodes.compactMap { try? $0.jsonValue }
        precondition(values.count == nodes.count)
        message.options[option] = .array(JSONArray(values))
    }

    /// Adds what a message says.
    public static func add(_ message: Message?) throws {
        guard let values = message?.options[option]?.arrayValue else { return }
        let nodes = try values.elements.map { try WorkflowNode($0) }
        try WorkflowTask.add { for node in nodes { node } }
    }
}
