import ArgumentParser
import DramatiqFileStorage
import Foundation

/// Stores for ever and says after each time what it has stored.
struct StoreCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "store")

    @Argument var directory: String
    @Option var seed: UInt64

    func run() async throws {
        let store = FileWorkflowStore(directory: directory)
        for index in 0... {
            let content = StressContent.make(seed: seed, index: index)
            let reference = try await store.store(content, completionID: "stress")
            // One write, so that a line is whole or, at the end, cut.
            FileHandle.standardOutput.write(Data("\(index) \(reference)\n".utf8))
        }
    }
}
