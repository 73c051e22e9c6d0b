#if Plugins
    import Dramatiq
    import DramatiqLZ4
    import DramatiqWorkflow
    import Testing

    @Suite(.timeLimit(.minutes(10))) struct GraphCommandTests {
        private let directory: TemporaryDirectory

        init() throws {
            directory = try TemporaryDirectory()
            func task(_ name: String) -> Message { Message(queueName: "default", actorName: name) }
            let definition = Chain(task("fetch"), Group(task("resize"), task("resize"), task("\u{1B}[2J")))
            let json = try definition.node.jsonValue
            try directory.write(Array(json.description.utf8), "definition.json")
            let rest = try Chain(task("publish")).node.jsonValue
            var message = task("resize")
            message.options["workflow_completion_callbacks"] = [
                ["run:run", nil, true], ["step", rest, false], ["group", nil, true],
            ]
            try directory.write(try LZ4MessageEncoder(minSize: 0).encode(message), "message.lz4")
            message.options["workflow_completion_callbacks"] = [
                ["step", ["__type__": "stored", "by": "files", "version": 2, "at": "x"], false]
            ]
            try directory.write(try JSONMessageEncoder().encode(message), "stored.json")
            message.options["workflow_completion_callbacks"] = [
                "__type__": "stored", "by": "files", "version": 2, "at": "x",
            ]
            try directory.write(try JSONMessageEncoder().encode(message), "away.json")
        }

        @Test func definitionsAndMessagesAreDrawn() async throws {
            let definition = try await Tool.script("$TOOL graph definition.json", in: directory)
            #expect(definition.status == 0, "\(definition.error)")
            #expect(
                definition.output == #"""
                    chain
                    ├─ fetch
                    └─ group
                       ├─ resize × 2
                       └─ \u{1B}[2J

                    """#)
            let message = try await Tool.script("$TOOL graph --format ascii < message.lz4", in: directory)
            #expect(message.output == "chain\n|- resize\n`- publish\n")
            let mermaid = try await Tool.script("$TOOL graph definition.json --format mermaid", in: directory)
            #expect(mermaid.output.hasPrefix("flowchart LR\n"))
            let dot = try await Tool.script("$TOOL graph definition.json --format dot", in: directory)
            #expect(dot.output.hasPrefix("digraph workflow {\n"))
            let small = try await Tool.script("$TOOL graph definition.json --limit 1", in: directory)
            #expect(small.output == "chain\n└─ … and 2 more, 4 tasks\n")
        }

        @Test(arguments: ["stored.json", "away.json"])
        func whatAStorageHasIsNamed(file: String) async throws {
            let result = try await Tool.script("$TOOL graph \(file)", in: directory)
            #expect(result.status == 1)
            #expect(result.output == "resize\n")
            #expect(result.error == "One part of what follows a storage has: not drawn\n")
        }

        @Test(arguments: [
            "'{}'", "'[]'", "'{\"__type__\":\"loop\"}'", "'{\"__type__\":\"chain\"}'",
            "'{\"__type__\":\"group\",\"children\":[1]}'",
        ])
        func whatIsNoWorkflowIsAnError(text: String) async throws {
            let result = try await Tool.script("$TOOL graph <(echo \(text))", in: directory)
            #expect(result.status == 1 && result.output.isEmpty)
            #expect(result.errorLines.count == 1 && result.error.contains("can't be drawn"))
        }
    }
#endif
