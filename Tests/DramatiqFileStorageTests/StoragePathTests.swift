import Dramatiq
import DramatiqWorkflow
import Foundation
import Testing

@testable import DramatiqFileStorage

/// Paths that can't be meant are refused before anything is made.
@Suite(.timeLimit(.minutes(10))) struct StoragePathTests {
    private static let refused = [
        "", "~", "~/workflows", "~app/workflows", "$HOME/workflows", "${HOME}/workflows", "file:///var/lib/workflows",
        "a\0b",
    ]

    private let callbacks = [
        CompletionCallback(
            completionID: "a",
            remaining: RemainingWorkflow(["__type__": "chain", "children": [["__type__": "group", "children": []]]]),
            propagates: false)
    ]

    @Test(arguments: refused)
    func everyUseIsRefused(path: String) async throws {
        let before = try FileManager.default.contentsOfDirectory(atPath: ".").sorted()
        let directory = StorageDirectory(path)
        #expect(directory.path == path)
        let content = Array("content".utf8)
        let reference = JSONValue.string("sha256:" + ContentDigest(of: content).hexadecimal)
        let store = FileWorkflowStore(directory)
        for use in [
            { _ = try await store.store(content, completionID: "a") },
            { _ = try await store.load(reference, completionID: "a") },
            { try await store.refresh(reference, completionID: "a") },
            { _ = try await FileCallbackStorage(directory, inlineLimit: 0).store(callbacks) },
            { _ = try await directory.sweep() }, { _ = try await directory.statistics() },
            { _ = try await directory.verify() },
        ] {
            let error = await #expect(throws: FileStorageError.self) { try await use() }
            #expect(error?.code == .unusable)
            #expect(error?.path.hasPrefix(path) == true)
        }
        #expect(try FileManager.default.contentsOfDirectory(atPath: ".").sorted() == before)
    }

    @Test func theReasonSaysWhatToDo() async throws {
        let error = await #expect(throws: FileStorageError.self) {
            _ = try await StorageDirectory("~/workflows").statistics()
        }
        #expect(error?.description.contains("'~/workflows': Only a shell replaces '~'") == true)
        #expect(error?.reason.contains("./") == true)
    }

    @Test func aDirectoryWithSuchANameCanBeGiven() async throws {
        let scratch = try ScratchDirectory()
        for name in ["~", "$HOME", "file:"] {
            let store = FileWorkflowStore(directory: scratch.path + "/" + name, durability: .processFailure)
            _ = try await store.store([1], completionID: "a")
            #expect(FileManager.default.fileExists(atPath: scratch.path + "/" + name))
        }
        #expect(StorageDirectory("./~").path == FileManager.default.currentDirectoryPath + "/./~")
    }

    @Test func aRelativePathStartsAtTheWorkingDirectoryOfItsMoment() {
        #expect(StorageDirectory("a/b//").path == FileManager.default.currentDirectoryPath + "/a/b")
        #expect(StorageDirectory("/a/").path == "/a")
        #expect(StorageDirectory("///").path == "/")
    }
}
