import Dramatiq
import Synchronization

/// The callbacks that were read last. All members of a group carry the same ones, so most messages of a large group
/// need no reading.
final class RecentCallbacks: Sendable {
    /// Longer ones are not kept, so that this holds no memory that matters, and is quickly looked at.
    private static let maxSize = 4096

    private struct Entry {
        let text: [UInt8]
        let callbacks: [CompletionCallback]
    }

    private let last = Mutex<Entry?>(nil)

    /// Reads callbacks that stand in a message.
    ///
    /// - Throws: as ``CallbackFormat/read(_:resolve:)``.
    func callbacks(_ reference: JSONValue) throws -> [CompletionCallback] {
        guard case .array(let array) = reference, let text = array.validatedText, text.count <= Self.maxSize else {
            return try CallbackFormat.read(reference)
        }
        if let entry = last.withLock(\.self), entry.text[...] == text { return entry.callbacks }
        // A copy, since the text is a part of its message.
        let copy = Array(text)
        let callbacks = try CallbackFormat.read(.array(JSONArray(validatedText: copy[...])))
        last.withLock { $0 = Entry(text: copy, callbacks: callbacks) }
        return callbacks
    }
}
