import Dramatiq
import DramatiqDedupStorage
import DramatiqFileStorage
import DramatiqWorkflow
import Foundation
import TestSupport
import Testing

/// The stored workflows and references of `Fixtures/references`, which Python's module is held against, too.
@Suite(.timeLimit(.minutes(10))) struct ReferenceFixtureTests {
    private struct NotStored: Error {}

    /// Has the contents of the fixtures, whatever its name, and takes any place.
    private struct FixtureStore: WorkflowStore {
        let name: String
        let contents: [String: [UInt8]]

        func store(_ workflow: [UInt8], completionID: String) async throws -> JSONValue { throw NotStored() }

        func load(_ reference: JSONValue, completionID: String) async throws -> [UInt8] {
            guard let content = contents[completionID] ?? contents[reference.stringValue ?? ""] else {
                throw NotStored()
            }
            return content
        }
    }

    private let scratch: ScratchDirectory
    private let files: StorageDirectory
    private let rows: [JSONValue]
    /// By their names, as references of both versions have them.
    private var contents: [String: [UInt8]] = [:]

    init() async throws {
        scratch = try ScratchDirectory()
        files = StorageDirectory(scratch.storage)
        rows = try Fixtures.rows("references/contents.json")
        for row in rows {
            let text = try #require(row["text"]?.stringValue)
            let name = try #require(row["name"]?.stringValue)
            let store = FileWorkflowStore(files)
            #expect(try await store.store(Array(text.utf8), completionID: name) == .string(name), "the content's name")
            contents[name] = Array(text.utf8)
            let place = try #require(try await store.store(Array(text.utf8), completionID: "another").stringValue)
            contents[place] = Array(text.utf8)
        }
    }

    /// The storage that has made a reference, if it was one of ours.
    private func storage(for reference: JSONValue) -> any CallbackStorage {
        let inner = reference.arrayValue?.elements.lazy.compactMap { $0.arrayValue?.elements.dropFirst().first?["by"] }
        let maker = (reference["by"] ?? inner?.first)?.stringValue ?? ""
        if maker == "file" { return FileCallbackStorage(files, cache: WorkflowCache()) }
        let name = maker.hasPrefix("dedup.") ? String(maker.dropFirst(6)) : "other"
        return DedupCallbackStorage(FixtureStore(name: name, contents: contents), cache: WorkflowCache())
    }

    /// The callbacks, with what remains of workflows loaded, which must be workflows.
    private func loaded(_ reference: JSONValue) async throws -> [JSONValue] {
        var callbacks: [JSONValue] = []
        for callback in try await storage(for: reference).retrieve(reference) {
            let rest = try await callback.remaining?.load()
            if let rest { _ = try WorkflowNode(rest) }
            callbacks.append([.string(callback.completionID), rest ?? .null, .bool(callback.propagates)])
        }
        return callbacks
    }

    /// The JSON text without what means nothing in it.
    private func compact(_ value: JSONValue) -> String {
        var text: [UInt8] = []
        var (isInText, isEscaped) = (false, false)
        for byte in value.encoded() where isInText || byte > UInt8(ascii: " ") {
            if byte == UInt8(ascii: "\""), !isEscaped { isInText.toggle() }
            isEscaped = byte == UInt8(ascii: "\\") && !isEscaped
            text.append(byte)
        }
        return String(decoding: text, as: UTF8.self)
    }

    @Test func everyPositionOfEveryContent() async throws {
        for row in rows {
            let name = try #require(row["name"])
            for (position, rest) in (row["rests"]?.arrayValue?.elements ?? []).enumerated() {
                let entries: JSONValue = [["a", .integer(position), false]]
                let reference: JSONValue = [
                    "__type__": "stored", "by": "dedup.x", "version": 2, "at": [name, entries],
                ]
                let what: Comment = "\(row["why"] ?? .null), position \(position)"
                if rest.isNull {
                    await #expect(throws: (any Error).self, what) { try await loaded(reference) }
                } else {
                    let found = JSONValue.array(JSONArray(try await loaded(reference)))
                    #expect(compact(found) == compact([["a", rest, false]]), what)
                }
            }
        }
    }

    @Test func validReferences() async throws {
        for row in try Fixtures.rows("references/valid.json") {
            let reference = try #require(row["reference"])
            let why: Comment = "\(row["why"] ?? .null)"
            do {
                #expect(try await loaded(reference) == row["callbacks"]?.arrayValue?.elements ?? [], why)
            } catch {
                Issue.record(error, why)
            }
        }
    }

    @Test func hostileReferences() async throws {
        for row in try Fixtures.rows("references/hostile.json") {
            let reference = try #require(row["reference"])
            await #expect(throws: (any Error).self, "\(row["why"] ?? .null)") { try await loaded(reference) }
        }
    }
}

extension JSONValue {
    fileprivate subscript(key: String) -> JSONValue? { objectValue?[key] }
}
