#if Plugins
    import ArgumentParser
    import CommandLineSupport
    import Dramatiq

    /// `dramatiq-workflow measure`.
    struct MeasureCommand: AsyncParsableCommand {
        enum Format: String, ExpressibleByArgument, CaseIterable {
            case table, json, csv
        }

        static let configuration = CommandConfiguration(
            commandName: "measure",
            abstract: "Count what encoders and callback storages make of workflows and messages.",
            discussion: """
                Takes definitions of workflows and captured messages. A workflow is run to its end without its actors, so \
                every message is counted with all that it carries; one that is delayed is counted once. Ratios are to plain \
                JSON with callbacks in the messages, and count what a storage keeps elsewhere. Times are means per message, \
                on this machine; build with -c release for them.

                What can't be read is named on standard error and left out, and the exit code is 1 then. Symbolic links are \
                followed, but for those to directories below a directory.
                """
        )

        @Argument(help: "Files, directories that are looked through, or - for standard input.", completion: .file())
        var paths: [String] = []

        @Option(
            name: .customLong("sample-redis"),
            help: ArgumentHelp(
                "A Redis server whose queues are looked into; nothing there is changed. Its URL is in the environment, as "
                    + "in env:\(RedisAddress.variable), or in a file, as in file:path; here it can stand if it has no "
                    + "password.", valueName: "url"))
        var redis: String?

        @Option(help: "What the keys of the Redis server begin with.")
        var namespace = "dramatiq"

        @Option(
            parsing: .unconditional,
            help: ArgumentHelp("How many messages of each queue are looked at, at most.", valueName: "messages"),
            transform: BoundedNumber(1...1_000_000).read)
        var sampleLimit = 1000

        @Option(
            help: ArgumentHelp(
                "An encoder to measure besides json: lz4, zlib, zlib:9; may be repeated.", valueName: "encoder"),
            transform: EncoderChoice.read)
        var encoder: [EncoderChoice] = []

        @Option(
            help: ArgumentHelp(
                "A callback storage to measure: \(StorageColumn.all.map(\.name).joined(separator: ", ")); may be "
                    + "repeated.", valueName: "storage"))
        var storage: [String] = []

        @OptionGroup var dictionary: DictionaryOption

        @Option(help: "How to print the numbers: table, json or csv.")
        var format = Format.table

        @Flag(help: "Print the table for all files together only.")
        var totals = false

        @Option(help: ArgumentHelp("Where to draw a chart, as SVG.", valueName: "file"))
        var chart: String?

        func validate() throws {
            guard !paths.isEmpty || redis != nil, !paths.contains("") else {
                throw ValidationError("Name a file or directory, or a server with --sample-redis")
            }
            guard chart != "" else { throw ValidationError("--chart can't be empty") }
            guard chart.map({ FilePath(output: $0) }) != .standardOutput else {
                throw ValidationError("--chart needs a file: the numbers go to standard output")
            }
            let known = StorageColumn.all.map(\.name)
            for name in storage where !known.contains(name) {
                throw ValidationError("There is no storage '\(name)'; there are \(known.joined(separator: ", "))")
            }
        }

        func run() async throws {
            let dictionary = try await dictionary.load()
            let sources = sources(decoder: EncoderChoice.decoder(dictionary: dictionary))
            let measurement = SampleMeasurement(
                encoders: encoders(dictionary),
                storages: StorageColumn.all.filter { storage.isEmpty || storage.contains($0.name) })
            var rows = MeasuredRows()
            var problems: [String] = []
            for source in sources {
                do {
                    let found = try await source.samples()
                    problems += found.problems
                    for sample in found.samples { try await add(sample, measurement, &rows, &problems) }
                } catch let error as CancellationError {
                    throw error
                } catch {
                    problems.append("\(error)")
                }
            }

            let console = Console()
            guard !rows.rows.isEmpty else { return try await console.finish(problems) }
            switch format {
            case .table: console.write(rows.table(totalsOnly: totals))
            case .json: console.write(try rows.json())
            case .csv: console.write(rows.csv)
            }
            if let chart {
                let svg = Array(rows.chart.utf8)
                do {
                    try await BlockingWork.run { _ in try OutputFile.write(svg, to: FilePath(output: chart)) }
                } catch let error as FileError {
                    problems.append("\(error)")
                }
            }
            try await console.finish(problems)
        }

        private func add(
            _ sample: Sample,
            _ measurement: SampleMeasurement,
            _ rows: inout MeasuredRows,
            _ problems: inout [String]
        ) async throws {
            do {
                rows.add(try await measurement.rows(of: sample))
            } catch let error as CancellationError {
                throw error
            } catch {
                problems.append("'\(sample.name)' can't be measured: \(error)")
            }
        }

        private func sources(decoder: any MessageEncoder) -> [any SampleSource] {
            var sources: [any SampleSource] = []
            if !paths.isEmpty {
                sources.append(FileSampleSource(paths: paths.map { FilePath(input: $0) }, decoder: decoder))
            }
            if let redis {
                let place = RedisPlace(address: RedisAddress(redis), namespace: namespace)
                sources.append(RedisSampleSource(place: place, limit: sampleLimit, decoder: decoder))
            }
            return sources
        }

        /// Plain JSON first, then each encoder without and with the dictionary.
        private func encoders(_ dictionary: CompressionDictionary?) -> [SampleMeasurement.Encoder] {
            let plain = EncoderChoice.all.filter { $0.format == .json }
            let others = (encoder.isEmpty ? EncoderChoice.all : encoder).filter { $0.format != .json }
            let choices = plain + others
            var encoders = choices.map { SampleMeasurement.Encoder(name: $0.name, encoder: $0.encoder()) }
            guard let dictionary else { return encoders }
            encoders += others.map {
                SampleMeasurement.Encoder(name: "\($0.name)+dictionary", encoder: $0.encoder(dictionary: dictionary))
            }
            return encoders
        }
    }
#endif
