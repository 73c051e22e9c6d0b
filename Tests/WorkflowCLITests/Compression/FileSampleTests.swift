#if Plugins
    import Dramatiq
    import DramatiqLZ4
    import DramatiqWorkflow
    import Testing

    @testable import CommandLineSupport
    @testable import WorkflowCLI

    @Suite struct FileSampleTests {
        private let directory: TemporaryDirectory

        init() throws {
            directory = try TemporaryDirectory()
        }

        private func find(_ names: String...) async throws -> FoundSamples {
            let paths = names.isEmpty ? [directory.path] : names.map { directory.path.appending(FilePath($0)) }
            return try await FileSampleSource(paths: paths, decoder: EncoderChoice.decoder(), maxSize: 100_000)
                .samples()
        }

        private func messages(_ sample: Sample) async throws -> [Message] {
            var messages: [Message] = []
            try await sample.forEachMessage { messages.append($0) }
            return messages
        }

        private let first = Message(queueName: "q", actorName: "first", args: ["a", 1])
        private let second = Message(
            queueName: "q", actorName: "second", args: [.string(String(repeating: "b", count: 999))])

        @Test func readsDefinitionsTranscriptsAndMessages() async throws {
            let workflow = Chain(first, Group(second, second)).node
            let definition = try workflow.jsonValue.encoded()
            try directory.write(definition, "definition.json")
            try directory.write(
                Array(#"{"name":"x","definition":"#.utf8) + definition + Array("}".utf8), "below/script.json")
            try directory.write(try JSONMessageEncoder().encode(first), "message.json")
            try directory.write(try LZ4MessageEncoder().encode(second), "compressed.lz4")
            let lines = try [first, second].flatMap { try JSONMessageEncoder().encode($0) + [UInt8(ascii: "\n")] }
            try directory.write(lines, "lines.jsonl")

            let found = try await find()
            #expect(found.problems.isEmpty)
            let samples = found.samples
            #expect(samples.map(\.name) == ["below/script", "compressed", "definition", "lines", "message"])
            let counts = try await samples.asyncMap { try await messages($0).count }
            #expect(counts == [3, 1, 3, 2, 1])
            #expect(try await messages(samples[1]) == [second])
            #expect(try await messages(samples[3]) == [first, second])
        }

        @Test func aWorkflowsMessagesCarryWhatComesAfterThem() async throws {
            try directory.write(try Chain(first, second).node.jsonValue.encoded(), "chain.json")
            let messages = try await messages(try #require(try await find("chain.json").samples.first))
            #expect(messages.map(\.actorName) == ["first", "second"])
            #expect(messages[0].options["workflow_completion_callbacks"] != nil)
            #expect(messages[1].options["workflow_completion_callbacks"] == nil)
        }

        @Test(arguments: [
            "", "{}", "nonsense", #"{"__type__":"loop"}"#, "{\"queue_name\":1}\n{}", "\u{4}\"M\u{18}", "\u{FEFF}",
            "\"x\"",
        ])
        func saysWhichFileIsNoneAndReadsTheOthers(text: String) async throws {
            try directory.write(Array(text.utf8), "below/broken.json")
            try directory.write(try JSONMessageEncoder().encode(first), "message.json")
            let found = try await find()
            #expect(found.samples.map(\.name) == ["message"])
            #expect(found.problems.count == 1)
            #expect(found.problems.first?.hasPrefix("'\(directory.path)/below/broken.json' is neither") == true)
        }

        @Test func saysWhatIsNotThere() async throws {
            try directory.write(try JSONMessageEncoder().encode(first), "message.json")
            let found = try await find("missing.json", "message.json")
            #expect(found.samples.map(\.name) == ["message"])
            #expect(found.problems == ["Can't find '\(directory.path)/missing.json': No such file or directory"])
            try directory.makeDirectory("empty")
            await #expect(throws: SampleError.self) { try await find("empty") }
        }

        @Test func aLineThatIsNoMessageHidesNoOther() async throws {
            let line = try JSONMessageEncoder().encode(first)
            let lines = line + Array("\n{\"queue_name\":1}\r\n\n".utf8) + line + Array("\r\n".utf8)
            try directory.write([0xEF, 0xBB, 0xBF] + lines, "lines.jsonl")
            let found = try await find()
            #expect(try await messages(try #require(found.samples.first)) == [first, first])
            #expect(found.problems.count == 1)
            #expect(
                found.problems.first?.hasPrefix("'\(directory.path)/lines.jsonl', line 2 is no message: ") == true)
        }

        @Test func capturedMessagesMayEndWithALineBreak() async throws {
            for encoder in ["lz4", "zlib"] {
                let encoder = try EncoderChoice.read(encoder).encoder()
                try directory.write(try encoder.encode(second) + [UInt8(ascii: "\n")], "captured")
                let found = try await find("captured")
                #expect(try await messages(try #require(found.samples.first)) == [second])
            }
        }

        @Test func linksAreFollowedAndNothingIsReadTwice() async throws {
            try directory.write(try JSONMessageEncoder().encode(first), "elsewhere/first.json")
            try directory.write(try JSONMessageEncoder().encode(second), "real/second.json")
            try directory.link("real/again.json", to: "second.json")
            try directory.link("real/link.json", to: "../elsewhere/first.json")
            try directory.link("real/link-too.json", to: "../elsewhere/first.json")
            try directory.link("real/loop", to: ".")
            try directory.link("real/dangling.json", to: "nowhere")
            try directory.link("linked", to: "real")
            for name in ["real", "linked"] {
                let found = try await find(name)
                #expect(found.samples.map(\.name) == ["second", "link-too"])
                #expect(
                    found.problems == [
                        "Can't find '\(directory.path)/\(name)/dangling.json': No such file or directory"
                    ])
            }
            #expect(try await find("real/link.json").samples.map(\.name) == ["link"])
        }

        @Test func whatIsTooLargeIsNotReadToItsEnd() async throws {
            try directory.write(Array(repeating: UInt8(ascii: " "), count: 100_001), "large.json")
            let found = try await find()
            #expect(found.problems.count == 1)
            #expect(found.problems.first?.contains("/large.json': It has more than the limit of 100000 bytes") == true)
            let endless = FileSampleSource(
                paths: [FilePath("/dev/zero")], decoder: EncoderChoice.decoder(), maxSize: 100_000)
            #expect(try await endless.samples().problems.count == 1)
        }
    }

    extension Array {
        fileprivate func asyncMap<Result>(_ transform: (Element) async throws -> Result) async rethrows -> [Result] {
            var results: [Result] = []
            for element in self { results.append(try await transform(element)) }
            return results
        }
    }
#endif
