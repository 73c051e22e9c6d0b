public import Dramatiq
public import DramatiqWorkflow

/// What an S3 store could not do, with which object, and why. Holds no credentials.
public struct S3StoreError: Error, Sendable, Hashable {
    /// The sort of cause. New ones may be added, so a `switch` needs a `default`.
    public struct Code: Sendable, Hashable, CustomStringConvertible {
        private enum Value: String {
            case missing, missingBucket, conflict, corrupt, tooLarge, invalidName, invalidReference, cannotBeKept
            case noCredentials, accessDenied, redirected, refused, malformedReply
            case throttled, unavailable, connectionFailed, timedOut, invalidConfiguration
        }

        private let value: Value

        /// There is no such object: it was never stored here, or it was removed.
        public static let missing = Code(value: .missing)
        /// There is no such bucket.
        public static let missingBucket = Code(value: .missingBucket)
        /// Something else is stored under this name; it was not overwritten.
        public static let conflict = Code(value: .conflict)
        /// The object's bytes don't have the checksum that it was stored with, or were damaged on the way.
        public static let corrupt = Code(value: .corrupt)
        /// The content is larger than ``S3Configuration/maxSize``.
        public static let tooLarge = Code(value: .tooLarge)
        /// A name that can't be one of a content, and so none of an object.
        public static let invalidName = Code(value: .invalidName)
        /// What a message carries for the workflow is not what this store gave out for it.
        public static let invalidReference = Code(value: .invalidReference)
        /// The bucket's lifecycle rule would remove the object before the end of the wait: see ``S3Retention``.
        public static let cannotBeKept = Code(value: .cannotBeKept)
        /// The provider has no credentials.
        public static let noCredentials = Code(value: .noCredentials)
        /// The server doesn't take the credentials, or they don't allow this.
        public static let accessDenied = Code(value: .accessDenied)
        /// The server sends requests elsewhere, which is not followed: most often the region is another one.
        public static let redirected = Code(value: .redirected)
        /// Anything else that the server refused: see ``S3StoreError/serverCode``.
        public static let refused = Code(value: .refused)
        /// The server sent what S3 doesn't, or more than the limits allow.
        public static let malformedReply = Code(value: .malformedReply)
        /// Too many requests: `SlowDown`, or the status 429.
        public static let throttled = Code(value: .throttled)
        /// The server has a fault of its own, with a status from 500.
        public static let unavailable = Code(value: .unavailable)
        /// No connection could be made, or it was lost before the answer was complete.
        public static let connectionFailed = Code(value: .connectionFailed)
        /// There was no complete answer in time.
        public static let timedOut = Code(value: .timedOut)
        /// An option that can't be used.
        public static let invalidConfiguration = Code(value: .invalidConfiguration)

        public var description: String { value.rawValue }
    }

    public let code: Code
    /// What was to be done, as in "can't load".
    public let operation: String
    public let bucket: String
    /// The object's key, prefix included; empty if it is about none.
    public let key: String
    /// The status of the server's answer, if there was one.
    public internal(set) var status: Int?
    /// The server's own code, such as `NoSuchKey`, if there was one.
    public internal(set) var serverCode: String?
    /// What the server calls the request, for those who run it to look for.
    public internal(set) var requestID: String?
    /// The cause, for a person to read.
    public let reason: String
    /// Whether the same request may work soon.
    public internal(set) var isTransient: Bool

    init(_ code: Code, _ operation: String, bucket: String, key: String, _ reason: String, isTransient: Bool? = nil) {
        self.code = code
        self.operation = operation
        self.bucket = bucket
        self.key = key
        self.reason = reason
        self.isTransient = isTransient ?? Self.transientCodes.contains(code)
    }

    private static let transientCodes: Set<Code> = [.throttled, .unavailable, .connectionFailed, .timedOut]

    static func invalidConfiguration(_ reason: String) -> S3StoreError {
        S3StoreError(.invalidConfiguration, "use", bucket: "", key: "", reason)
    }
}

extension S3StoreError: TransientError {
    /// Whether there is nobody to talk to, as opposed to a server that has too much to do.
    public var isOutage: Bool { isTransient && code != .throttled }
}

extension S3StoreError: ConfinedError, StorageFailureConvertible {
    private static let confinedCodes: Set<Code> = [
        .missing, .conflict, .corrupt, .tooLarge, .invalidName, .invalidReference, .cannotBeKept,
    ]

    /// Whether it is about one object, and others may be fine.
    public var isConfined: Bool { Self.confinedCodes.contains(code) }

    public func storageFailure(at place: String) -> StorageFailure {
        StorageFailure(place: key.isEmpty ? place : key, code: "\(code)", reason: reason, description: description)
    }
}

extension S3StoreError: CustomStringConvertible {
    public var description: String {
        if code == .invalidConfiguration { return "An S3 store can't be used so: \(reason)" }
        let answer = [
            status.map { "status \($0)" }, serverCode, requestID.map { "request \($0)" },
        ].compactMap(\.self).joined(separator: ", ")
        return "Can't \(operation) 's3://\(bucket)/\(key)': \(reason)" + (answer.isEmpty ? "" : " (\(answer))")
    }
}
