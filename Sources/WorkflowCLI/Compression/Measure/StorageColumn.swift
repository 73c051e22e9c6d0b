#if Plugins
    import DramatiqDedupStorage
    import DramatiqFileStorage
    import DramatiqWorkflow

    /// A callback storage to measure with.
    struct StorageColumn: Sendable {
        let name: String
        /// Makes the storage over files in a directory that is empty.
        let make: @Sendable (_ directory: StorageDirectory, _ store: CountedWorkflowStore) -> any CallbackStorage

        /// The first one is what the others are compared with.
        static let all = [
            StorageColumn(name: "inline") { _, _ in InlineCallbackStorage() },
            StorageColumn(name: "file") { FileCallbackStorage($0, store: $1) },
            StorageColumn(name: "dedup") { DedupCallbackStorage($1) },
        ]
    }
#endif
