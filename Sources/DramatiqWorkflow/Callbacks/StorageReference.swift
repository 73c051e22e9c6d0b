public import Dramatiq

/// What a message carries in place of something that a storage keeps. It says which storage made it, so that another
/// one doesn't take it for its own:
///
///     {"__type__":"stored","by":"file","version":1,"at":"sha256:9f86d081…"}
public struct StorageReference: Sendable, Hashable {
    /// The marker in `__type__`, beside those of workflow nodes (`chain`, `group`, …).
    public static let marker = "stored"
    /// The longest name of a storage, in UTF-8 bytes.
    public static let maxNameLength = 64

    /// The storage's name.
    public let storage: String
    /// The version of what the storage puts into ``place``.
    public let version: Int
    /// Where the storage finds it. Means something to that storage only, and is hostile until it has checked it.
    public let place: JSONValue

    public init(storage: String, version: Int, place: JSONValue) {
        self.storage = storage
        self.version = version
        self.place = place
    }

    /// Reads a reference; `nil` if the value is something else, such as a workflow.
    ///
    /// - Throws: ``WorkflowError/Code/invalidCallbacks`` if it is marked as one and is none.
    public init?(reading value: JSONValue) throws(WorkflowError) {
        guard let members = value.objectValue?.members,
            members.contains(where: { $0.key == "__type__" && $0.value.stringValue == Self.marker })
        else { return nil }
        func member(_ key: String) -> JSONValue? { members.first { $0.key == key }?.value }
        guard members.count == 4,
            let storage = member("by")?.stringValue, storage.utf8.count <= Self.maxNameLength,
            case .integer(let version)? = member("version"), let place = member("at")
        else {
            throw .invalidCallbacks(reason: "a stored part must have the members by, version and at, and no others")
        }
        self.init(storage: storage, version: version, place: place)
    }

    /// The reference as messages carry it.
    public var jsonValue: JSONValue {
        ["__type__": .string(Self.marker), "by": .string(storage), "version": .integer(version), "at": place]
    }

    /// ``place``, if a storage of that name and version has made the reference.
    ///
    /// - Throws: ``WorkflowError/Code/foreignReference`` if it was another one.
    package func place(of storage: String, version: Int) throws(WorkflowError) -> JSONValue {
        guard storage == self.storage, version == self.version else { throw isForeign }
        return place
    }

    /// The error for a reference that another storage made.
    var isForeign: WorkflowError { .foreignReference(storage: storage, version: version) }
}
