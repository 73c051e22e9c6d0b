import ArgumentParser
import Foundation

#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Opens all lock files below a directory that it may read, holds their locks, and says how many it has.
struct HoldCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "hold")

    @Argument var directory: String
    @OptionGroup var user: UserOption

    func run() async throws {
        try user.become()
        var held = 0
        for outer in 0..<16 {
            for inner in 0..<16 {
                let digits = String(outer, radix: 16) + "/" + String(inner, radix: 16)
                let lock = open("\(directory)/\(digits)/.lock", O_RDONLY | O_CLOEXEC)
                if lock >= 0, flock(lock, LOCK_EX | LOCK_NB) == 0 { held += 1 }
            }
        }
        FileHandle.standardOutput.write(Data("held \(held)\n".utf8))
        // Ended by the test.
        while true { try await Task.sleep(for: .seconds(3600)) }
    }
}
