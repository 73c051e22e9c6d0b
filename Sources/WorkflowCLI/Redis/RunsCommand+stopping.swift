#if Plugins
    import ArgumentParser
    import CommandLineSupport
    import Dramatiq
    import DramatiqWorkflow

    extension RunsCommand {
        /// `dramatiq-workflow runs pause`.
        struct Pause: AsyncParsableCommand {
            static let configuration = CommandConfiguration(
                abstract: "Keep what has not begun of runs from beginning, until they are resumed.",
                discussion: RunsCommand.confirmationText)

            @OptionGroup var server: RedisOptions
            @OptionGroup var selection: RunSelection

            func run() async throws {
                try await selection.stop(as: .paused, server, Console()) { try await $0.pause() }
            }
        }

        /// `dramatiq-workflow runs cancel`.
        struct Cancel: AsyncParsableCommand {
            static let configuration = CommandConfiguration(
                abstract: "End runs for good; asks first.",
                discussion: """
                    What has not begun of them never does, and what runs is cancelled. \(RunsCommand.confirmationText)
                    """)

            @OptionGroup var server: RedisOptions
            @OptionGroup var selection: RunSelection
            @OptionGroup var confirmation: Confirmation

            func run() async throws {
                let console = Console()
                let count = selection.ids.distinct.count
                try await confirmation.ask(
                    "Cancel \(count) \(count == 1 ? "run" : "runs") for good?", on: console,
                    answer: Confirmation.readAnswer)
                try await selection.stop(as: .cancelled, server, console) { try await $0.cancel() }
            }
        }

        /// `dramatiq-workflow runs resume`.
        struct Resume: AsyncParsableCommand {
            static let configuration = CommandConfiguration(
                abstract: "Let runs go on that are paused.",
                discussion: """
                    What was put aside of them goes back to its queues, no faster than is said. Runs that are not paused \
                    are named, and the exit code is 1 then. If it is interrupted, do it again.
                    """)

            @OptionGroup var server: RedisOptions
            @OptionGroup var selection: ReturningSelection

            func run() async throws {
                try await selection.apply(to: .paused, server, Console()) { try await $0.resume(perSecond: $1) }
            }
        }

        /// `dramatiq-workflow runs retry`.
        struct Retry: AsyncParsableCommand {
            static let configuration = CommandConfiguration(
                abstract: "Have runs go on that have failed.",
                discussion: """
                    The dead letters of their failed tasks go back to their queues, with what was put aside, no faster than \
                    is said. Nothing that has succeeded runs again. Runs that have not failed are named, and the exit code is \
                    1 then. If it is interrupted, do it again.
                    """)

            @OptionGroup var server: RedisOptions
            @OptionGroup var selection: ReturningSelection

            func run() async throws {
                try await selection.apply(to: .failed, server, Console()) { try await $0.retryFailed(perSecond: $1) }
            }
        }

        fileprivate static let confirmationText = """
            Workers are waited for until each has confirmed that it starts nothing of them any more. Those that have not \
            are named, as are runs that had ended before, and the exit code is 1 then.
            """

        fileprivate struct JSON {
            let text: String

            init(_ id: String, _ members: [(String, JSONValue)]) {
                text = PrintableText.escape(json: JSONObject([("run", .string(id))] + members).description)
            }
        }
    }

    /// Some runs.
    struct RunSelection: ParsableArguments {
        @Argument(help: "The ids of runs, as listed.")
        var ids: [String] = []

        func validate() throws {
            if ids.isEmpty { throw ValidationError("Give the ids of runs") }
        }

        /// Does something with each run. One that isn't known keeps no other from it.
        ///
        /// - Parameter body: returns what is wrong with a run.
        /// - Returns: what is wrong.
        static func each(
            _ ids: [String], _ broker: Broker, _ body: (WorkflowRun) async throws -> String?
        ) async throws -> [String] {
            var problems: [String] = []
            for id in ids {
                do {
                    if let problem = try await body(WorkflowRun(id: id, broker: broker)) { problems.append(problem) }
                } catch let error as WorkflowError where error.code == .runUnknown {
                    problems.append("\(error)")
                }
            }
            return problems
        }

        fileprivate func stop(
            as state: RunState, _ server: RedisOptions, _ console: Console,
            _ body: (WorkflowRun) async throws -> RunStop
        ) async throws {
            let problems = try await server.withRuns { broker in
                try await Self.each(ids.distinct, broker) { run in
                    let stop = try await body(run)
                    if server.json {
                        let workers = JSONArray(stop.unconfirmedWorkers.map { .string($0) })
                        console.writeLine(
                            RunsCommand.JSON(
                                run.id,
                                [("state", .string("\(stop.state)")), ("unconfirmed_workers", .array(workers))]
                            ).text)
                    }
                    guard stop.state == state else { return "\(run.shownID) is \(stop.state) already" }
                    if !server.json { console.writeLine("\(run.shownID) is \(stop.state)") }
                    if stop.unconfirmedWorkers.isEmpty { return nil }
                    let workers = stop.unconfirmedWorkers.map { PrintableText.escape($0, limit: 100) }
                    return "\(run.shownID): not confirmed by \(workers.joined(separator: ", "))"
                }
            }
            try await console.finish(problems)
        }
    }

    /// Some runs, or all in a state, whose messages go back to their queues.
    struct ReturningSelection: ParsableArguments {
        @Argument(help: "The ids of runs, as listed.")
        var ids: [String] = []

        @Flag(help: "All such runs, or those with a name or labels.")
        var all = false

        @OptionGroup var filter: RunFilter

        @Option(
            parsing: .unconditional,
            help: ArgumentHelp("How many messages go back in a second at most.", valueName: "number"),
            transform: BoundedNumber(1...1_000_000).read)
        var rate = 100

        func validate() throws {
            guard ids.isEmpty == all else { throw ValidationError("Give either ids or --all") }
            guard all || filter.isEmpty else { throw ValidationError("A name and labels need --all") }
        }

        fileprivate func apply(
            to state: RunState, _ server: RedisOptions, _ console: Console,
            _ body: (WorkflowRun, _ rate: Int) async throws -> Int
        ) async throws {
            let problems = try await server.withRuns { broker in
                var ids = ids.distinct
                if all {
                    for try await run in filter.runs(of: broker, state: state) { ids.append(run.id) }
                }
                return try await RunSelection.each(ids, broker) { run in
                    let count = try await body(run, rate)
                    let state = try await run.status(listing: 0).run.state
                    guard state == .running || count > 0 else { return "\(run.shownID) is \(state)" }
                    if server.json {
                        console.writeLine(RunsCommand.JSON(run.id, [("returned", .integer(count))]).text)
                    } else {
                        let messages = count == 1 ? "1 message went back to its queue" : "\(count) messages went back"
                        console.writeLine("\(run.shownID) goes on; \(messages)")
                    }
                    return nil
                }
            }
            try await console.finish(problems)
        }
    }

    extension WorkflowRun {
        fileprivate var shownID: String { PrintableText.escape(id, limit: 200) }
    }
#endif
