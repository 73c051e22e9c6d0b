/// What a store has for a workflow is not what was stored: damaged, or changed by somebody.
///
/// The message that needs it is kept and tried again, and then is a dead letter; it can go on once the store has the
/// content again.
public struct StoredContentError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The name of the storage.
    public let storage: String
    /// The name of the content: its SHA-256 in base64url.
    public let name: String
    /// The SHA-256 of what is there, in base64url.
    public let found: String

    public var description: String {
        "The storage '\(storage)' has content \(found) in the place of \(name): it is damaged, or was changed"
    }
}
