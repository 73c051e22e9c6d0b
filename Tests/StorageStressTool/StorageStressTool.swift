import ArgumentParser
import Foundation
import TestSupport

/// What the file storage's tests run in processes of their own: to be killed, to be many, or to have few rights.
///
/// It ends with its standard input, and so with the test that started it.
@main
struct StorageStressTool: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        subcommands: [StoreCommand.self, MixCommand.self, AttemptCommand.self, HoldCommand.self])

    static func main() async {
        ChildProcess.whenInputEnds { Foundation.exit(1) }
        await main(nil)
    }
}
