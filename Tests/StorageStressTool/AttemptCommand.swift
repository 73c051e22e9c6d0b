import ArgumentParser
import Dramatiq
import DramatiqFileStorage
import Foundation

#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Tries to store or load a content, with limited rights, and says how it went: `ok`, or the error's code and text.
struct AttemptCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "attempt")

    @Argument var directory: String
    @Option(help: "The content to store, this many bytes.") var store: Int?
    @Option(help: "The reference to load.") var load: String?
    @OptionGroup var user: UserOption
    @Option(help: "The largest file that the system allows, in bytes.") var fileSizeLimit: Int?

    @Option(help: "What new files get no rights for, as a number.") var umask: UInt16?
    @Flag(help: "Share the directory with its group.") var group = false
    @Flag(help: "Leave it to the system when it writes.") var unsynced = false

    func run() async throws {
        try giveUpRights()
        let store = FileWorkflowStore(
            StorageDirectory(
                directory, durability: unsynced ? .processFailure : .powerFailure, access: group ? .group : .owner))
        do {
            if let size = self.store {
                _ = try await store.store(Array(repeating: 7, count: size), completionID: "attempt")
            }
            if let load { _ = try await store.load(.string(load), completionID: "attempt") }
            print("ok")
        } catch let error as FileStorageError {
            print("\(error.code) \(error)")
        }
    }

    private func giveUpRights() throws {
        if let fileSizeLimit {
            // The signal would end the process; without it the call fails.
            signal(SIGXFSZ, SIG_IGN)
            var limit = rlimit(rlim_cur: rlim_t(fileSizeLimit), rlim_max: rlim_t(fileSizeLimit))
            #if canImport(Glibc)
                let result = setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit)
            #else
                let result = setrlimit(RLIMIT_FSIZE, &limit)
            #endif
            guard result == 0 else { throw ValidationError("setrlimit failed") }
        }
        if let umask { _ = systemMask(mode_t(umask)) }
        try user.become()
    }
}

// Inside the type its own `umask` hides that of the C library.
private func systemMask(_ mask: mode_t) -> mode_t { umask(mask) }
