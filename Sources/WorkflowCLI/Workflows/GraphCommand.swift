#if Plugins
    import ArgumentParser
    import CommandLineSupport
    import Dramatiq
    import DramatiqWorkflow

    /// `dramatiq-workflow graph`.
    struct GraphCommand: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "graph",
            abstract: "Draw a workflow.",
            discussion: """
                Takes a definition as JSON, such as a chain, or a message in any format: then it draws the message and what \
                it carries of what follows. What a storage keeps of that is not drawn; standard error says so then, and the \
                exit code is 1.
                """)

        enum Format: String, CaseIterable, ExpressibleByArgument {
            case text, ascii, mermaid, dot

            var format: WorkflowDiagram.Format {
                switch self {
                case .text: .text
                case .ascii: .ascii
                case .mermaid: .mermaid
                case .dot: .dot
                }
            }
        }

        @OptionGroup var input: MessageInput
        @OptionGroup var dictionary: DictionaryOption

        @Option(
            help: "How to draw: text, ascii, mermaid or dot. Defaults to text, or to ascii where that can't be shown.")
        var format: Format?

        @Option(
            parsing: .unconditional,
            help: ArgumentHelp("How many parts to draw at most; the others are counted.", valueName: "number"),
            transform: BoundedNumber(1...100_000).read)
        var limit = WorkflowDiagram.defaultMaxNodes

        func run() async throws {
            let dictionary = try await dictionary.load()
            let (root, missing) = try await input.read(orSay: "can't be drawn") {
                try Self.definition(try DecodeCommand.decode($0, nil, dictionary))
            }
            let style = OutputStyle.current()
            let format = format?.format ?? (style.isUnicode || !style.isTerminal ? .text : .ascii)
            let console = Console()
            console.writeLine(WorkflowDiagram(root, maxNodes: limit).rendered(as: format))
            let parts = missing == 1 ? "One part" : "\(missing) parts"
            try await console.finish(missing == 0 ? [] : ["\(parts) of what follows a storage has: not drawn"])
        }

        /// What there is to draw, and how many parts of it are elsewhere.
        static func definition(_ bytes: [UInt8]) throws -> (root: WorkflowNode, missing: Int) {
            let value = try JSONValue(parsing: bytes)
            if value.objectValue?["__type__"] != nil { return (try WorkflowNode(value), 0) }
            let message = try JSONMessageEncoder(maxSize: MessageInput.maxSize).decode(bytes)
            let last = Pipeline(message).messages.last ?? message
            guard let option = last.options[WorkflowMiddleware.callbacksOption] else { return (message.node, 0) }
            var missing = 0
            guard option.arrayValue != nil else { return (message.node, 1) }
            let callbacks = try CallbackFormat.read(option) { (_, _) throws(WorkflowError) in
                missing += 1
                return RemainingWorkflow(Self.nothing)
            }
            let rests = try callbacks.reversed().compactMap { try ($0.remaining?.value).map { try WorkflowNode($0) } }
            return (.chain([message.node] + rests), missing)
        }

        private static let nothing: JSONValue = ["__type__": "chain", "children": .array(JSONArray([]))]
    }
#endif
