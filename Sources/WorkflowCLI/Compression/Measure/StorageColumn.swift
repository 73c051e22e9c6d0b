#if Plugins
    import DramatiqDedupStorage
    import DramatiqFileStorage
    import DramatiqWorkflow

    /// A callback storage to measure with.
    struct StorageColumn: Sendable {
        let name: String
        /// Makes the storage, which may use an empty directory.
        let make: @Sendable (_ directory: String) -> any CallbackStorage

        /// The first one is what the others are compared with.
        static let all = [
            StorageColumn(name: "inline") { _ in InlineCallbackStorage() },
            StorageColumn(name: "file") { FileCallbackStorage(directory: $0, durability: .processFailure) },
            StorageColumn(name: "dedup") {
                DedupCallbackStorage(FileWorkflowStore(directory: $0, durability: .processFailure))
            },
        ]
    }
#endif
