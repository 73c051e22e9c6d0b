import DramatiqLZ4
public import DramatiqWorkflow
import DramatiqZlib

/// What a store can be built of besides itself.
public enum StoreParts: String, Sendable, CaseIterable {
    case plain, lz4, zlib, tiered, tieredAndCompressed

    /// Between the sizes of the samples.
    private static let limit = 1000

    /// - Parameter large: has what is large, where that is kept apart.
    public func build(
        _ store: some WorkflowStoreOperations,
        _ large: some WorkflowStoreOperations
    ) -> any WorkflowStoreOperations {
        switch self {
        case .plain: store
        case .lz4: store.compressed(with: LZ4Compressor())
        case .zlib: store.compressed(with: ZlibCompressor(), reading: LZ4Compressor())
        case .tiered: store.tiered(above: Self.limit, to: large)
        case .tieredAndCompressed:
            store.tiered(above: Self.limit, to: large.compressed(with: LZ4Compressor())).compressed(
                with: ZlibCompressor())
        }
    }
}
