import Dramatiq

/// What remains of a workflow as a part of a stored content.
package struct StoredRest: Sendable {
    /// The version of references that name contents.
    package static let version = 2

    package let address: ContentAddress
    /// Where in the content it begins. Hostile until it was looked for there.
    package let cursor: Int
    private let load: @Sendable () async throws -> WorkflowContent

    package init(
        address: ContentAddress,
        cursor: Int,
        load: @escaping @Sendable () async throws -> WorkflowContent
    ) {
        self.address = address
        self.cursor = cursor
        self.load = load
    }

    /// What stands for it in messages.
    package var reference: StorageReference { Self.reference(to: address, cursor: cursor) }

    package static func reference(to address: ContentAddress, cursor: Int) -> StorageReference {
        StorageReference(storage: address.storage, version: version, place: address.reference(to: .integer(cursor)))
    }

    package func content() async throws -> WorkflowContent { try await load() }

    /// - Throws: ``WorkflowError/Code/invalidCursor``.
    func children(in content: WorkflowContent) throws(WorkflowError) -> JSONArray {
        guard let rest = content.rest(from: cursor) else {
            throw .invalidCursor(cursor, reference: "\(reference.jsonValue)")
        }
        return rest
    }
}
