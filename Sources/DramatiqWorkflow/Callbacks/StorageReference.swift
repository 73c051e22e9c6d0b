public import Dramatiq

/// What a message carries in place of something that a storage keeps. It says which storage made it, so that another
/// one doesn't take it for its own:
///
///     {"__type__":"stored","by":"dedup.redis","version":2,"at":["n4bQgYhMf…",[["completion id",17,false]]]}
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
        guard let object = value.objectValue,
            object["__type__"]?.stringValue?.hasSameBytes(as: Self.marker) == true
        else { return nil }
        let (values, count) = object.select(["by", "version", "at"])
        guard count == 4,
            let storage = values[0]?.stringValue, storage.utf8.count <= Self.maxNameLength,
            case .integer(let version)? = values[1], let place = values[2]
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
        guard storage.hasSameBytes(as: self.storage), version == self.version else { throw isForeign }
        return place
    }

    public static func == (left: StorageReference, right: StorageReference) -> Bool {
        left.storage.hasSameBytes(as: right.storage) && left.version == right.version && left.place == right.place
    }

    public func hash(into hasher: inout Hasher) {
        storage.hashBytes(into: &hasher)
        hasher.combine(place)
    }

    /// The error for a reference that another storage made.
    var isForeign: WorkflowError { .foreignReference(storage: storage, version: version) }
}
