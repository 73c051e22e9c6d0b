#if Plugins
    import ArgumentParser
    import CommandLineSupport
    import Dramatiq
    import DramatiqRedis
    import DramatiqWorkflow
    import Foundation

    /// `dramatiq-workflow runs`.
    struct RunsCommand: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "runs",
            abstract: "Look after the runs of workflows, on a Redis server.",
            discussion: """
                Runs are known whose WorkflowMiddleware keeps its barriers on this server and tracks them, which it does \
                unless told otherwise.
                """,
            subcommands: [List.self, Show.self, Pause.self, Resume.self, Retry.self, Cancel.self],
            defaultSubcommand: List.self
        )

        /// `dramatiq-workflow runs list`.
        struct List: AsyncParsableCommand {
            static let configuration = CommandConfiguration(
                abstract: "List runs, the latest first.",
                discussion: "With several conditions, those are listed that meet all of them.")

            @OptionGroup var server: RedisOptions

            @Option(
                help: ArgumentHelp(
                    "Only those in a state: running, paused, succeeded, failed, cancelled.", valueName: "state"))
            var state: String?

            @OptionGroup var filter: RunFilter

            @Option(
                parsing: .unconditional,
                help: ArgumentHelp("How many to list at most.", valueName: "number"),
                transform: BoundedNumber(1...1_000_000_000).read)
            var limit = 50

            func run() async throws {
                let console = Console()
                try await server.withRuns { broker in
                    let runs = filter.runs(of: broker, state: state.map { RunState($0) })
                    var (listed, hasMore) = ([RunSummary](), false)
                    for try await run in runs {
                        guard listed.count < limit else {
                            hasMore = true
                            break
                        }
                        listed.append(run)
                    }
                    let now = Date()
                    for line in server.json ? listed.map(\.json) : Self.text(listed, now: now) {
                        console.writeLine(line)
                    }
                    if hasMore, !server.json { console.writeLine("and more: the latest \(limit) are listed") }
                }
                try await console.flush()
            }

            private static func text(_ runs: [RunSummary], now: Date) -> [String] {
                if runs.isEmpty { return ["There are no such runs."] }
                var table = TextTable(heading: ["RUN", "STATE", "TASKS", "STARTED", "TOOK", "NAME", "LABELS"])
                for run in runs {
                    table.add([
                        PrintableText.escape(run.id, limit: 200), PrintableText.escape("\(run.state)", limit: 50),
                        "\(run.taskCount)", Age(from: run.started, to: now).map { "\($0) ago" } ?? "-",
                        run.ended.flatMap { Age(from: run.started, to: $0) }?.description ?? "-",
                        run.name.isEmpty ? "-" : PrintableText.escape(run.name, limit: 200), run.labelsText,
                    ])
                }
                return table.lines
            }
        }

        /// `dramatiq-workflow runs show`.
        struct Show: AsyncParsableCommand {
            static let configuration = CommandConfiguration(
                abstract: "Show how far a run is, what it waits for, and what has failed.")

            @OptionGroup var server: RedisOptions

            @Argument(help: "The id of a run, as listed.")
            var id: String

            @Option(
                parsing: .unconditional,
                help: ArgumentHelp("How many barriers and failures to show at most.", valueName: "number"),
                transform: BoundedNumber(0...10_000).read)
            var limit = 20

            func run() async throws {
                let console = Console()
                try await server.withRuns { broker in
                    let status = try await WorkflowRun(id: id, broker: broker).status(listing: limit)
                    let text = server.json ? [status.json] : status.text(now: Date(), OutputStyle.current())
                    for line in text { console.writeLine(line) }
                }
                try await console.flush()
            }
        }
    }

    /// A name and labels of runs.
    struct RunFilter: ParsableArguments {
        @Option(help: ArgumentHelp("Only those of workflows with this name.", valueName: "name"))
        var name: String?

        @Option(
            name: .customLong("label"),
            help: ArgumentHelp("Only those with this label; can be repeated.", valueName: "key=value"))
        var labels: [String] = []

        var isEmpty: Bool { name == nil && labels.isEmpty }

        func validate() throws {
            for label in labels where label.utf8.firstIndex(of: UInt8(ascii: "=")) == nil {
                throw ValidationError("'\(label)' is no label: write it as key=value")
            }
        }

        func runs(of broker: Broker, state: RunState?) -> WorkflowRuns {
            broker.workflowRuns(
                state: state, name: name, labels: Dictionary(labels.map(Self.label), uniquingKeysWith: { $1 }))
        }

        private static func label(_ text: String) -> (String, String) {
            let sign = text.utf8.firstIndex(of: UInt8(ascii: "=")) ?? text.endIndex
            return (String(text[..<sign]), String(text[sign...].dropFirst()))
        }
    }

    extension RedisOptions {
        /// Gives a body a broker that knows of runs and reads messages in every format that a fleet may use, and ends the
        /// connection after it.
        func withRuns<Result>(_ body: (Broker) async throws -> Result) async throws -> Result {
            let encoder = EncoderChoice.decoder(dictionary: try await dictionary.load())
            return try await RedisPlace(address: RedisAddress(redis), namespace: namespace).withClient { client in
                let workflows = WorkflowMiddleware(backend: RedisRateLimiterBackend(client, namespace: namespace))
                return try await body(
                    Broker(
                        transport: RedisTransport(client, configuration: .init(namespace: namespace)),
                        encoder: encoder, middleware: [workflows]))
            }
        }
    }

    extension RunSummary {
        fileprivate var labelsText: String {
            let labels = labels.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
            return labels.isEmpty ? "-" : PrintableText.escape(labels.joined(separator: " "), limit: 1000)
        }

        fileprivate var members: [(String, JSONValue)] {
            [
                ("run", .string(id)), ("state", .string("\(state)")), ("name", .string(name)),
                (
                    "labels",
                    .object(JSONObject(labels.sorted { $0.key < $1.key }.map { ($0.key, .string($0.value)) }))
                ),
                ("started_ms", .integer(started.milliseconds)),
                ("ended_ms", ended.map { .integer($0.milliseconds) } ?? .null), ("tasks", .integer(taskCount)),
            ]
        }

        fileprivate var json: String { PrintableText.escape(json: JSONObject(members).description) }
    }

    extension RunStatus {
        fileprivate func text(now: Date, _ style: OutputStyle) -> [String] {
            func age(_ date: Date) -> String { Age(from: date, to: now).map { "\($0) ago" } ?? "-" }
            var lines = ["run      \(PrintableText.escape(run.id, limit: 200))"]
            if !run.name.isEmpty { lines.append("name     \(PrintableText.escape(run.name, limit: 200))") }
            if !run.labels.isEmpty { lines.append("labels   \(run.labelsText)") }
            lines += ["state    \(PrintableText.escape("\(run.state)", limit: 50))", "started  \(age(run.started))"]
            if let ended = run.ended { lines.append("ended    \(age(ended))") }
            if let diagram {
                lines += ["", diagram.rendered(as: style.isUnicode || !style.isTerminal ? .text : .ascii)]
            }
            var table = TextTable(
                heading: ["ACTOR", "TASKS", "WAITING", "IN FLIGHT", "SUCCEEDED", "FAILED", "SKIPPED", "HELD"])
            for (actor, counts) in tasks.sorted(by: { $0.key < $1.key }) {
                table.add([
                    actor.isEmpty ? "(others)" : PrintableText.escape(actor, limit: 200), "\(counts.total)",
                    "\(counts.waiting)", "\(counts.inFlight)", "\(counts.succeeded)", "\(counts.failed)",
                    "\(counts.skipped)", "\(counts.held)",
                ])
            }
            lines += [""] + table.lines
            if openBarrierCount > 0 {
                var barriers = TextTable(heading: ["WAITS AT", "FOR"])
                for barrier in openBarriers {
                    barriers.add([PrintableText.escape(barrier.key, limit: 200), "\(barrier.missing)"])
                }
                lines += [""] + barriers.lines
                if openBarriers.count < openBarrierCount {
                    lines.append("\(openBarriers.count) of \(openBarrierCount) open barriers")
                }
            }
            if failureCount > 0 {
                var table = TextTable(heading: ["FAILED", "ACTOR", "ATTEMPT", "REASON"])
                for failure in failures {
                    table.add([
                        PrintableText.escape(failure.messageID, limit: 200),
                        PrintableText.escape(failure.actorName, limit: 200), "\(failure.attempt)",
                        PrintableText.escape(failure.reason, limit: 500),
                    ])
                }
                lines += [""] + table.lines
                if failures.count < failureCount { lines.append("\(failures.count) of \(failureCount) failures") }
            }
            return lines
        }

        fileprivate var json: String {
            let actors = tasks.sorted { $0.key < $1.key }.map { ($0.key, $0.value.json) }
            let members =
                run.members + [
                    ("actors", .object(JSONObject(actors))),
                    ("diagram", diagram.map { .array(JSONArray($0.nodes.map(\.json))) } ?? .null),
                    ("open_barriers", .integer(openBarrierCount)),
                    (
                        "waits_for",
                        .array(
                            JSONArray(
                                openBarriers.map { ["barrier": .string($0.key), "missing": .integer($0.missing)] }))
                    ),
                    ("failures", .integer(failureCount)),
                    (
                        "failed",
                        .array(
                            JSONArray(
                                failures.map { failure in
                                    [
                                        "message_id": .string(failure.messageID), "actor": .string(failure.actorName),
                                        "attempt": .integer(failure.attempt), "reason": .string(failure.reason),
                                    ]
                                }))
                    ),
                ]
            return PrintableText.escape(json: JSONObject(members).description)
        }
    }

    extension RunTaskCounts {
        fileprivate var json: JSONValue {
            [
                "total": .integer(total), "waiting": .integer(waiting), "in_flight": .integer(inFlight),
                "succeeded": .integer(succeeded), "failed": .integer(failed), "skipped": .integer(skipped),
                "held": .integer(held),
            ]
        }
    }

    extension WorkflowDiagram.Node {
        fileprivate var json: JSONValue {
            var members: [(String, JSONValue)]
            switch content {
            case .task(let actorName): members = [("kind", "task"), ("actor", .string(actorName))]
            case .chain: members = [("kind", "chain")]
            case .group: members = [("kind", "group")]
            case .more(let parts): members = [("kind", "more"), ("parts", .integer(parts))]
            }
            members += [("depth", .integer(depth)), ("count", .integer(count)), ("tasks", .integer(taskCount))]
            if let delay { members.append(("delay_ms", .integer(delay.milliseconds))) }
            if let resultName { members.append(("name", .string(resultName))) }
            if let state {
                members += [
                    ("state", .string(state.phase.name)), ("shared", .bool(state.isShared)),
                    ("counts", state.tasks.json),
                ]
            }
            return .object(JSONObject(members))
        }
    }

    extension NodeState.Phase {
        fileprivate var name: String {
            switch self {
            case .notBegun: "not_begun"
            case .underWay: "under_way"
            case .done: "done"
            case .failed: "failed"
            }
        }
    }
#endif
