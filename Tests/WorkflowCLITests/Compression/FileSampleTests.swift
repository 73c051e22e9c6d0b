#if Plugins
    import Dramatiq
    import DramatiqLZ4
    import DramatiqWorkflow
    import Testing

    @testable import WorkflowCLI

    @Suite struct FileSampleTests {
        private let directory: TemporaryDirectory

        init() throws {
            directory = try TemporaryDirectory()
        }

        private func samples(_ names: String...) async throws -> [Sample] {
            let paths = names.isEmpty ? [directory.path] : names.map { directory.path.appending(FilePath($0)) }
            return try await FileSampleSource(paths: paths, decoder: EncoderChoice.decoder()).samples()
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
            let definition = try workflow.encoded()
            try directory.write(definition, "definition.json")
            try directory.write(
                Array(#"{"name":"x","definition":"#.utf8) + definition + Array("}".utf8), "below/script.json")
            try directory.write(try JSONMessageEncoder().encode(first), "message.json")
            try directory.write(try LZ4MessageEncoder().encode(second), "compressed.lz4")
            let lines = try [first, second].flatMap { try JSONMessageEncoder().encode($0) + [UInt8(ascii: "\n")] }
            try directory.write(lines, "lines.jsonl")

            let samples = try await samples()
            #expect(samples.map(\.name) == ["below/script", "compressed", "definition", "lines", "message"])
            let counts = try await samples.asyncMap { try await messages($0).count }
            #expect(counts == [3, 1, 3, 2, 1])
            #expect(try await messages(samples[1]) == [second])
            #expect(try await messages(samples[3]) == [first, second])
        }

        @Test func aWorkflowsMessagesCarryWhatComesAfterThem() async throws {
            try directory.write(try Chain(first, second).node.encoded(), "chain.json")
            let messages = try await messages(try #require(try await samples("chain.json").first))
            #expect(messages.map(\.actorName) == ["first", "second"])
            #expect(messages[0].options["workflow_completion_callbacks"] != nil)
            #expect(messages[1].options["workflow_completion_callbacks"] == nil)
        }

        @Test(arguments: ["", "{}", "nonsense", #"{"__type__":"loop"}"#, "{\"queue_name\":1}\n{}", "\u{4}\"M\u{18}"])
        func saysWhichFileIsNone(text: String) async throws {
            try directory.write(Array(text.utf8), "broken.json")
            let error = try await #require(throws: SampleError.self) { try await samples() }
            #expect("\(error)".contains("'broken' is neither"))
        }

        @Test func saysWhatIsNotThere() async throws {
            await #expect(throws: FileError.self) { try await samples("missing.json") }
            await #expect(throws: SampleError.self) { try await samples() }
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
