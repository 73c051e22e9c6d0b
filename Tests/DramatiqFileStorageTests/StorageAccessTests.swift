import Dramatiq
import DramatiqWorkflow
import Foundation
import TestSupport
import Testing

@testable import DramatiqFileStorage

/// Who may read what is stored, and hold its locks.
@Suite(.timeLimit(.minutes(10))) struct StorageAccessTests {
    private let scratch: ScratchDirectory

    init() throws {
        scratch = try ScratchDirectory()
    }

    /// The permissions of all that is stored, with the outermost directory's under the empty path.
    private func permissions() throws -> [String: Int] {
        var all: [String: Int] = [:]
        for file in [""] + scratch.files {
            let attributes = try FileManager.default.attributesOfItem(atPath: scratch.storage + "/" + file)
            all[file] = try #require(attributes[.posixPermissions] as? Int)
        }
        return all
    }

    private func isDirectory(_ file: String) -> Bool { file.count <= 3 }

    /// Checks everything, and that there is something of each kind.
    private func expectPermissions(files: Int, directories: Int) throws {
        let all = try permissions()
        #expect(all.keys.contains { ($0 as NSString).lastPathComponent == DirectoryLock.name })
        #expect(!scratch.contents.isEmpty)
        for (file, permissions) in all {
            let wanted = isDirectory(file) ? directories : files
            #expect(permissions == wanted, "\(file) has \(String(permissions, radix: 8))")
        }
    }

    /// Makes all as an earlier version did under the usual mask.
    private func open(directories: mode_t = 0o755, files: mode_t = 0o644) {
        for file in [""] + scratch.files {
            #expect(chmod(scratch.storage + "/" + file, isDirectory(file) ? directories : files) == 0)
        }
    }

    @Test(arguments: [0o000, 0o002, 0o022, 0o027, 0o077], [false, true])
    func newFilesHaveTheirPermissionsWhateverTheMask(mask: Int, isShared: Bool) async throws {
        let arguments = ["attempt", scratch.storage, "--store", "10", "--umask", "\(mask)"]
        try await #expect(StressProcess.run(arguments + (isShared ? ["--group"] : []), in: scratch) == "ok\n")
        try expectPermissions(files: isShared ? 0o660 : 0o600, directories: isShared ? 0o2770 : 0o700)
    }

    @Test func directoriesOnTheWayAreNoWiderThanTheOneThatIsWanted() async throws {
        let way = scratch.path + "/way"
        let arguments = ["attempt", way + "/to/storage", "--store", "10", "--umask", "0"]
        try await #expect(StressProcess.run(arguments, in: scratch) == "ok\n")
        for path in [way, way + "/to", way + "/to/storage"] {
            let attributes = try FileManager.default.attributesOfItem(atPath: path)
            #expect(attributes[.posixPermissions] as? Int == 0o700)
        }
    }

    enum Use: CaseIterable, Sendable {
        case store, storeAgain, load, verify, sweep
    }

    @Test(arguments: Use.allCases)
    func whatIsThereGetsThemWhenItIsUsedAgain(use: Use) async throws {
        let content: [UInt8] = [1, 2, 3]
        let reference = try await FileWorkflowStore(directory: scratch.storage).store(content, completionID: "a")
        open()
        let store = FileWorkflowStore(directory: scratch.storage)
        switch use {
        case .store:
            // Another content in the same directory: the first 64 that come, until there is one.
            for number in 0..<3000 {
                let other = Array("other \(number)".utf8)
                guard ContentDigest(of: other).fanOut == ContentDigest(of: content).fanOut else { continue }
                _ = try await store.store(other, completionID: "a")
                break
            }
            #expect(scratch.contents.count == 2)
            // That of the first one is nobody's business now.
            #expect(try permissions()[""] == 0o700)
        case .storeAgain:
            _ = try await store.store(content, completionID: "a")
            try expectPermissions(files: 0o600, directories: 0o700)
        case .load:
            #expect(try await store.load(reference, completionID: "a") == content)
            let lock = try #require(scratch.files.first { $0.hasSuffix(DirectoryLock.name) })
            #expect(try permissions().filter { $0.key != lock }.allSatisfy { $0.value & 0o077 == 0 })
        case .verify:
            try await #expect(store.directory.verify().intact == 1)
            #expect(try permissions().filter { $0.key.count > 6 }.allSatisfy { $0.value & 0o077 == 0 })
        case .sweep:
            try await #expect(store.directory.sweep().kept == 1)
            #expect(try permissions().filter { $0.key.count != 9 }.allSatisfy { $0.value & 0o077 == 0 })
        }
    }

    @Test func aDirectoryCanBeGivenToAGroupAndBack() async throws {
        let content: [UInt8] = [1, 2, 3]
        for (access, files, directories) in [
            (StorageAccess.owner, 0o600, 0o700), (.group, 0o660, 0o2770), (.owner, 0o600, 0o700),
        ] {
            let store = FileWorkflowStore(StorageDirectory(scratch.storage, access: access))
            _ = try await store.store(content, completionID: "a")
            try expectPermissions(files: files, directories: directories)
        }
        // What looks after it without knowing changes nothing.
        open(directories: 0o2770, files: 0o660)
        let tool = StorageDirectory(scratch.storage, access: .asFound)
        try await #expect(tool.verify().intact == 1)
        try await #expect(tool.sweep().kept == 1)
        try expectPermissions(files: 0o660, directories: 0o2770)
    }

    @Test func whatIsForOthersOrForMoreThanThisStaysSo() async throws {
        // A directory for everybody, and one with other things in it.
        try FileManager.default.createDirectory(atPath: scratch.storage, withIntermediateDirectories: false)
        #expect(chmod(scratch.storage, 0o1777) == 0)
        _ = try await FileWorkflowStore(directory: scratch.storage).store([1], completionID: "a")
        #expect(try permissions()[""] == 0o1777)
        #expect(chmod(scratch.storage, 0o777) == 0)
        try ScratchDirectory.write([], scratch.storage + "/notes.txt")
        #expect(chmod(scratch.storage + "/notes.txt", 0o644) == 0)
        _ = try await FileWorkflowStore(directory: scratch.storage).store([1], completionID: "a")
        // Nobody else can exchange what is in it.
        #expect(try permissions()[""] == 0o755)
        #expect(try permissions()["notes.txt"] == 0o644)
        for (file, permissions) in try permissions() where file != "" && file != "notes.txt" {
            #expect(permissions & 0o077 == 0)
        }
        // A file that has another name elsewhere may be none of the storage's.
        let content = try #require(scratch.contents.first)
        #expect(link(content, scratch.path + "/elsewhere") == 0)
        #expect(chmod(content, 0o644) == 0)
        _ = try await FileWorkflowStore(directory: scratch.storage).store([1], completionID: "a")
        let attributes = try FileManager.default.attributesOfItem(atPath: scratch.path + "/elsewhere")
        #expect(attributes[.posixPermissions] as? Int == 0o644)
    }

    @Test func whatItsOwnerHasLockedStaysLocked() async throws {
        let reference = try await FileWorkflowStore(directory: scratch.storage).store([1], completionID: "a")
        let content = try #require(scratch.contents.first)
        #expect(chmod(content, 0o444) == 0)
        _ = try await FileWorkflowStore(directory: scratch.storage).load(reference, completionID: "a")
        let attributes = try FileManager.default.attributesOfItem(atPath: content)
        #expect(attributes[.posixPermissions] as? Int == 0o400)
    }

    /// What root's processes do in another user's directory doesn't keep that user from it. Others than root only have
    /// their own.
    @Test func whatRootMakesInAnothersDirectoryIsTheirs() async throws {
        try FileManager.default.createDirectory(atPath: scratch.storage, withIntermediateDirectories: false)
        let owner: UInt32 = geteuid() == 0 ? 65534 : geteuid()
        #expect(chown(scratch.storage, owner, gid_t.max) == 0)
        let store = FileWorkflowStore(directory: scratch.storage)
        _ = try await store.store([1], completionID: "a")
        for file in scratch.files {
            let attributes = try FileManager.default.attributesOfItem(atPath: scratch.storage + "/" + file)
            #expect((attributes[.ownerAccountID] as? NSNumber)?.uint32Value == owner, "\(file)")
        }
        try expectPermissions(files: 0o600, directories: 0o700, exceptOutermost: true)
    }

    private func expectPermissions(files: Int, directories: Int, exceptOutermost: Bool) throws {
        for (file, permissions) in try permissions() where file != "" {
            #expect(permissions == (isDirectory(file) ? directories : files))
        }
    }
}
