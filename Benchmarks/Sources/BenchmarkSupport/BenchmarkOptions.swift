public import ArgumentParser

/// The options that all areas have.
public struct BenchmarkOptions: ParsableArguments {
    @Option(help: "How many rounds each contestant runs.")
    public var rounds = 7

    @Option(help: "How long a round of a short piece of work takes, in seconds.")
    public var seconds = 0.3

    @Option(help: "Runs only what has this in its name.")
    public var filter: String?

    @Option(help: "Runs only this contestant, for example under a profiler.")
    public var only: String?

    @Flag(help: "Prints the results as JSON instead of tables.")
    public var json = false

    @Option(help: "Writes the results to this file as JSON as well.")
    public var save: String?

    @Flag(help: "Ends with status 1 if an aim is missed.")
    public var strict = false

    public init() {}

    public func validate() throws {
        guard rounds > 0 else { throw ValidationError("There must be at least one round.") }
        guard seconds > 0 else { throw ValidationError("A round must take some time.") }
    }
}
