import ArgumentParser

/// What the file storage's tests run in processes of their own: to be killed, to be many, or to have few rights.
@main
struct StorageStressTool: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        subcommands: [StoreCommand.self, MixCommand.self, AttemptCommand.self])
}
