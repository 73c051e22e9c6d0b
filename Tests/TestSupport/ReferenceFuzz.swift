import Dramatiq
import DramatiqWorkflow
import Synchronization

/// Gives a storage random and mutated references with a stored workflow beside them, and takes contents apart that were
/// damaged: an error or a part of what is stored, never a crash, within bounds of memory.
public enum ReferenceFuzz {
    /// The storage did what it must not.
    public struct Fault: Error {
        public let what: String
        public let input: String
    }

    /// How many inputs were accepted.
    public struct Outcome: Sendable {
        public var references = 0
        public var rests = 0
        public var contents = 0

        public init() {}
    }

    /// A store that has what it was given, by name.
    private final class Store: WorkflowStore {
        struct Missing: Error {}
        private let contents = Mutex<[String: [UInt8]]>([:])

        var name: String { "fuzz" }

        func store(_ workflow: [UInt8], completionID: String) async throws -> JSONValue {
            contents.withLock { $0[completionID] = workflow }
            return .string(completionID)
        }

        func load(_ reference: JSONValue, completionID: String) async throws -> [UInt8] {
            guard reference == .string(completionID), let content = contents.withLock({ $0[completionID] }) else {
                throw Missing()
            }
            return content
        }

        /// What storing garbage has left.
        func keep(_ name: String) { contents.withLock { $0 = $0.filter { $0.key == name } } }
    }

    /// Not SHA-256, which this target has not, but as good to find a content by.
    private static func digest(_ bytes: [UInt8]) -> ContentName {
        var words: [UInt64] = [1, 2, 3, 4]
        for byte in bytes {
            for index in words.indices {
                words[index] = (words[index] ^ UInt64(byte)) &* (0x100_0000_01B3 + UInt64(index) * 2)
            }
        }
        return ContentName(
            digest: words.flatMap { word in (0..<8).map { UInt8(truncatingIfNeeded: word >> UInt64(8 * $0)) } })
    }

    private static let pieces: [[UInt8]] = [
        "-1", "0", "1", "7", "99999", "9223372036854775807", "9223372036854775808", "1.0", "1e3", "null", "true",
        ",false", "\"1\"",
        "[", "]", "[]", "{}", ",", "\"by\":\"file\"", "\"by\":\"fuzz\"", "\"version\":1", "\"version\":2",
        "\"version\":3",
        "\"at\":", "{\"__type__\":\"stored\",", "\"__type__\":\"chain\"", "\"children\":[", "\"task\":", "\"delay\":1,",
        "[[[[[[[[", " ", "\"",
    ].map { Array($0.utf8) }

    private static func mutated(_ input: [UInt8], _ generator: inout SeededGenerator) -> [UInt8] {
        var bytes = input
        for _ in 0..<Int.random(in: 1...3, using: &generator) {
            let place = Int.random(in: 0...bytes.count, using: &generator)
            let end = min(bytes.count, place + Int.random(in: 0...12, using: &generator))
            switch Int.random(in: 0..<6, using: &generator) {
            case 0, 1: bytes.replaceSubrange(place..<end, with: pieces.randomElement(using: &generator) ?? [])
            case 2: bytes.removeSubrange(place..<end)
            case 3: bytes.insert(contentsOf: pieces.randomElement(using: &generator) ?? [], at: place)
            case 4 where place < bytes.count: bytes[place] ^= 1 << UInt8.random(in: 0...7, using: &generator)
            default: bytes.insert(contentsOf: bytes[place..<end], at: place)
            }
        }
        return bytes
    }

    /// - Parameter count: how many references, and how many contents.
    /// - Throws: ``Fault``.
    public static func run(count: Int, seed: UInt64) async throws -> Outcome {
        var generator = SeededGenerator(seed: seed)
        let store = Store()
        let cache = WorkflowCache(maxSize: 1 << 20)
        let storage = ContentStorage(
            name: "fuzz", store: store, inlineLimit: 0, callbackLimit: 4096, cache: cache, digest: digest)
        let actor = TaskActor("task") { (_: Int, _: Int) in }
        let root = WorkflowNode.chain(
            (0..<3).map { RandomTree(seed: seed &+ $0) { actor.message($0, $1) }.root } + [
                .message(actor.message(1, 2))
            ])
        let content = try WorkflowContent(WorkflowContent.text([JSONArray([try root.jsonValue])]))
        let name = digest(content.text)
        _ = try await store.store(content.text, completionID: name.text)
        let references = references(name)
        var outcome = Outcome()
        for index in 0..<count {
            let cursor = Int.random(in: -2...60, using: &generator)
            let text = references[index % references.count].replacing("CURSOR", with: "\(cursor)")
            let bytes = index.isMultiple(of: 7) ? Array(text.utf8) : mutated(Array(text.utf8), &generator)
            if let reference = try? JSONValue(parsing: bytes) {
                outcome.rests += try await follow(reference, storage, content, &outcome)
            }
            if index.isMultiple(of: 1000) { store.keep(name.text) }
            outcome.contents += try takeApart(mutated(content.text, &generator), &generator)
            guard cache.size <= cache.maxSize else { throw Fault(what: "the cache has \(cache.size) bytes", input: "") }
        }
        return outcome
    }

    private static func references(_ name: ContentName) -> [String] {
        let stored = #"{"__type__":"stored","by":"fuzz","version":2,"at":"#
        return [
            stored + #"["\#(name)",[["a",CURSOR,false],["b",null,true]]]}"#,
            stored + #"["\#(name)",[["a",CURSOR],["b",null]]]}"#,
            stored + #"["\#(name)",[["a",CURSOR,false],["b",CURSOR,true]],"\#(name)"]}"#,
            #"[["a",\#(stored)["\#(name)",CURSOR]},false],["b",null,true]]"#,
            stored + #""\#(name)"}"#, stored + #"["\#(name)",null,"\#(name)"]}"#,
            #"[["a",{"__type__":"stored","by":"fuzz","version":1,"at":"a"},false]]"#,
            #"{"__type__":"stored","by":"fuzz","version":1,"at":"\#(name)"}"#,
            #"[["a",{"__type__":"chain","children":[{"__type__":"group","children":[]}]},false]]"#,
        ]
    }

    /// Does with a reference what workers do.
    ///
    /// - Returns: how many rests it led to.
    private static func follow(
        _ reference: JSONValue,
        _ storage: ContentStorage,
        _ content: WorkflowContent,
        _ outcome: inout Outcome
    ) async throws -> Int {
        guard let callbacks = try? await storage.retrieve(reference) else { return 0 }
        outcome.references += 1
        var rests = 0
        for callback in callbacks {
            guard let remaining = callback.remaining, let rest = try? await remaining.load() else { continue }
            _ = try? WorkflowNode(rest)
            // What stands in the message itself is looked at when its turn comes.
            if remaining.value != nil { continue }
            guard rest.objectValue?["__type__"] == "chain",
                rest.objectValue?["children"]?.arrayValue?.isEmpty == false
            else { throw Fault(what: "no rest", input: "\(reference)") }
            rests += 1
        }
        try? await storage.refresh(reference, for: .seconds(1))
        _ = try? await storage.store(callbacks)
        return rests
    }

    /// - Returns: 1 if the text is a content.
    private static func takeApart(_ text: [UInt8], _ generator: inout SeededGenerator) throws -> Int {
        guard let content = try? WorkflowContent(text) else { return 0 }
        for _ in 0..<3 {
            let cursor = Int.random(in: -1...80, using: &generator)
            guard let rest = content.rest(from: cursor) else { continue }
            guard let bytes = rest.validatedText,
                (try? JSONValue(parsing: [UInt8(ascii: "[")] + bytes + [UInt8(ascii: "]")])) != nil,
                content.cursor(of: rest) == cursor
            else {
                throw Fault(what: "cursor \(cursor) leads to no rest", input: String(decoding: text, as: UTF8.self))
            }
        }
        return 1
    }
}
