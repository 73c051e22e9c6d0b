public import Dramatiq
public import DramatiqWorkflow

/// Why a remaining workflow can't be stored or had.
public struct RedisStoreError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The sort of error. New ones may be added, so a `switch` needs a `default`.
    public struct Code: Sendable, Hashable, CustomStringConvertible {
        public let description: String

        private init(_ description: String) {
            self.description = description
        }

        /// A completion id that is empty or very long.
        public static let invalidCompletionID = Code("invalidCompletionID")
        /// What a message carries for the workflow is not what this store gave out for it.
        public static let invalidReference = Code("invalidReference")
        /// It was never stored here, or its time ran out.
        public static let notFound = Code("notFound")
    }

    public let code: Code
    /// What is wrong, for a person to read.
    public let description: String
    /// The completion id under which nothing is stored.
    public private(set) var completionID: String?
}

extension RedisStoreError {
    package static let invalidCompletionID = RedisStoreError(
        code: .invalidCompletionID, description: "A completion id must have from 1 to 256 bytes")

    package static let invalidReference = RedisStoreError(
        code: .invalidReference,
        description: "The place of a remaining workflow must be the id of the barrier that it came with")

    package static func notFound(completionID: String) -> RedisStoreError {
        RedisStoreError(
            code: .notFound, description: "What remains of the workflow after barrier \(completionID) is not in Redis",
            completionID: completionID)
    }
}

extension RedisStoreError: ConfinedError, StorageFailureConvertible {
    /// Always: it is about one content.
    public var isConfined: Bool { true }

    public func storageFailure(at place: String) -> StorageFailure {
        StorageFailure(place: place, code: "\(code)", reason: description)
    }
}
