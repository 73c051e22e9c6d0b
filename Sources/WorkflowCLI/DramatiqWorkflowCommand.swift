import ArgumentParser

/// `dramatiq-workflow`: what one wants to see and do with workflows without writing a program.
@main
struct DramatiqWorkflowCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dramatiq-workflow",
        abstract: "Workflows of background tasks, in the wire formats of Python's dramatiq.",
        subcommands: [DemoCommand.self] + pluginCommands
    )

    private static var pluginCommands: [any ParsableCommand.Type] {
        #if Plugins
            [
                MeasureCommand.self, EncodeCommand.self, DecodeCommand.self, TrainDictionaryCommand.self,
                StorageCommand.self, QueuesCommand.self, DeadLettersCommand.self,
            ]
        #else
            []
        #endif
    }
}
