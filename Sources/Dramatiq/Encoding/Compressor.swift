/// Makes bytes smaller and gets them back, in one format.
///
/// A compressor is used by any number of tasks at once.
public protocol Compressor: Sendable {
    /// The format's name for people, file headers and error messages, in lower case: `lz4`, `zlib`.
    var name: String { get }

    /// Whether bytes begin as this format does. Decides who decodes a message, so it must be cheap and must never
    /// claim plain JSON, which begins with `{` or white space.
    func recognizes(_ bytes: [UInt8]) -> Bool

    /// The bytes in this format.
    ///
    /// - Throws: ``CompressionError``.
    func compress(_ bytes: [UInt8]) throws -> [UInt8]

    /// The bytes that were compressed. What comes in is hostile until this returns.
    ///
    /// - Parameters:
    ///   - bytes: bytes in this format, or that begin as such.
    ///   - maxSize: the most bytes to give back; memory stays within it whatever the input claims.
    /// - Throws: ``DecodeError`` with ``DecodeError/Code/corrupt``, ``DecodeError/Code/tooLarge`` or
    ///   ``DecodeError/Code/missingDictionary``, naming the format and the reason.
    func decompress(_ bytes: [UInt8], maxSize: Int) throws(DecodeError) -> [UInt8]

    /// The most bytes that ``decompress(_:maxSize:)`` can give back, by what the format allows and the header claims,
    /// without a look at the rest. Defaults to any number.
    func maxContentSize(of bytes: [UInt8]) -> Int
}

extension Compressor {
    public func maxContentSize(of bytes: [UInt8]) -> Int { .max }
}

/// Bytes can't be compressed: there is no memory, or a library refuses.
public struct CompressionError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The compressor's name.
    public let format: String
    public let reason: String

    public init(format: String, reason: String) {
        self.format = format
        self.reason = reason
    }

    public var description: String { "Can't compress with \(format): \(reason)" }
}
