public import Dramatiq

/// Something in a store that can't be read, used or removed, and why.
public struct StorageFailure: Error, Hashable {
    /// Where it is: a path, or the name of a content. Hostile until checked.
    public let place: String
    /// The sort of cause in one word, such as `corrupt`, `locked` or `permissionDenied`; `other` for what has none.
    public let code: String
    /// The cause, for a person to read.
    public let reason: String
    /// The whole sentence, with the place.
    public let description: String

    /// - Parameters:
    ///   - place: a path, or the name of a content.
    ///   - code: the sort of cause in one word.
    ///   - reason: the cause, for a person to read.
    ///   - description: the whole sentence. Defaults to place and reason.
    public init(place: String, code: String, reason: String, description: String? = nil) {
        self.place = place
        self.code = code
        self.reason = reason
        self.description = description ?? "'\(place)': \(reason)"
    }

    /// - Parameters:
    ///   - error: what went wrong.
    ///   - place: where it is, for an error that doesn't know.
    public init(_ error: any Error, place: String) {
        if let error = error as? any StorageFailureConvertible {
            self = error.storageFailure(at: place)
        } else {
            self.init(place: place, code: "other", reason: "\(error)")
        }
    }
}

extension StorageFailure: CustomStringConvertible, ConfinedError, StorageFailureConvertible {
    /// Always: it is about one place.
    public var isConfined: Bool { true }

    public func storageFailure(at place: String) -> StorageFailure { self }
}

/// A store's error that knows more than its text.
public protocol StorageFailureConvertible: Error {
    /// The error as a failure.
    ///
    /// - Parameter place: where it is, for an error that doesn't know.
    func storageFailure(at place: String) -> StorageFailure
}

/// What can't be done with a store by those who look after it.
public struct StorageOperationError: ConfinedError, StorageFailureConvertible, Hashable, CustomStringConvertible {
    private let code: String
    public let description: String

    public var isConfined: Bool { true }

    /// The store has no such name for what was to be stored: the name is not its digest.
    public static func otherName(_ name: String) -> StorageOperationError {
        StorageOperationError(
            code: "otherName",
            description: "The store can't keep it under its name '\(name.prefix(256))', which is not its digest")
    }

    public func storageFailure(at place: String) -> StorageFailure {
        StorageFailure(place: place, code: code, reason: description)
    }
}
