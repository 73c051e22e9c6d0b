package import Dramatiq

/// A store that keeps each content under one key of a server. A ``StateStore`` that has the same server removes what a run has
/// stored in the step that ends the run.
package protocol KeyedWorkflowStore: WorkflowStore {
    /// The key of a content, if a state store that is in a place can reach it together with a key of its own.
    func key(of name: String, in place: StoreIdentity, beside key: String) -> String?
}

/// A callback storage over a store that may be a ``KeyedWorkflowStore``.
package protocol KeyedCallbackStorage: CallbackStorage {
    /// As ``KeyedWorkflowStore/key(of:in:beside:)``, for one of ``StoredCallbacks/contents``.
    func key(of content: String, in place: StoreIdentity, beside key: String) -> String?

    /// Whether all contents have such keys.
    func hasKeys(in place: StoreIdentity, beside key: String) -> Bool
}
