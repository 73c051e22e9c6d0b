import Dramatiq
import DramatiqDedupStorage
import DramatiqTestKit
import DramatiqWorkflow
import Foundation

/// Keeps workflows in a table of one's own: here it is a dictionary.
actor TableWorkflowStore: WorkflowStore {
    struct NotFound: Error {}

    private var rows: [String: [UInt8]] = [:]

    func store(_ workflow: [UInt8], completionID: String) -> JSONValue {
        rows[completionID] = workflow
        return .string(completionID)
    }

    func load(_ reference: JSONValue, completionID: String) throws -> [UInt8] {
        // It came with a message: nothing is looked up unless it is what `store` gave out.
        guard reference.stringValue == completionID, let row = rows[completionID] else { throw NotFound() }
        return row
    }
}

/// The store as a subject of the promises, and callbacks over it: a fresh one for each of them.
struct TableSubject: WorkflowStoreSubject, CallbackStorageSubject {
    private let store = TableWorkflowStore()

    func makeStore() async throws -> any WorkflowStore { store }
    func makeStorage() async throws -> any CallbackStorage { DedupCallbackStorage(store) }
}

/// Says which promises a store of one's own keeps: `swift run OwnStore`. Fails if one of them is broken.
@main
struct OwnStore {
    static func main() async {
        let store = await ConformanceReport(checking: WorkflowStorePromises.all) { TableSubject() }
        let callbacks = await ConformanceReport(checking: CallbackStoragePromises.all) { TableSubject() }
        print(store, callbacks, separator: "\n")
        exit(store.isConforming && callbacks.isConforming ? 0 : 1)
    }
}
