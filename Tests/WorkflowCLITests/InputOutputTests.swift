#if Plugins
    import Dramatiq
    import DramatiqLZ4
    import Foundation
    import Testing

    /// The tool with whatever a shell can give it.
    @Suite(.timeLimit(.minutes(10))) struct InputOutputTests {
        private let directory: TemporaryDirectory
        private let plain: [UInt8]

        init() throws {
            directory = try TemporaryDirectory()
            let text = String(repeating: "summer ", count: 100)
            plain = try JSONMessageEncoder().encode(Message(queueName: "q", actorName: "a", args: [.string(text)]))
            try directory.write(plain, "m.json")
            try directory.write(try LZ4Compressor().compress(plain) + [UInt8(ascii: "\n")], "m.lz4")
            try directory.link("link", to: "m.lz4")
        }

        @Test(arguments: [
            "$TOOL decode < m.lz4", "$TOOL decode - < m.lz4", "cat m.lz4 | $TOOL decode", "$TOOL decode m.lz4",
            "$TOOL decode link", "$TOOL decode /dev/stdin < m.lz4", "cat m.lz4 | $TOOL decode /dev/stdin",
            "$TOOL decode <(cat m.lz4)", "mkfifo pipe; cat m.lz4 > pipe & $TOOL decode pipe",
            "$TOOL encode --encoder zlib m.lz4 | $TOOL decode",
            "$TOOL encode --encoder zlib <(cat link) | $TOOL decode",
        ])
        func aMessageIsReadFromAnything(script: String) async throws {
            let result = try await Tool.script(script, in: directory)
            #expect(result.status == 0, "\(result.error)")
            #expect(result.outputBytes == plain + [UInt8(ascii: "\n")])
        }

        @Test(arguments: [
            ("decode missing", "Can't read 'missing': No such file or directory"),
            ("decode .", "Can't read '.': Is a directory"), ("decode < /dev/null", "Standard input can't be decoded"),
            ("decode < .", "Can't read standard input: Is a directory"),
            ("decode /dev/zero", "Can't read '/dev/zero': It has more than the limit of 67108864 bytes"),
            ("decode --dictionary m.json m.lz4", "'m.json' can't be used: This is not a dictionary's file"),
            ("decode --dictionary missing m.lz4", "Can't read 'missing': No such file or directory"),
            ("encode --encoder lz4 missing", "Can't read 'missing': No such file or directory"),
            ("decode <(head -c 50 m.lz4)", "can't be decoded: The lz4 frame is damaged"),
            ("measure .missing", "Can't find '.missing': No such file or directory"),
            ("train-dictionary m.json --output missing/x", "There are only 1 messages"),
            ("measure $'\\e[31m\\n'", #"Can't find '\u{1B}[31m\n': No such file or directory"#),
            ("storage stat $'\\e[31m\\n'", #"/\u{1B}[31m\n': No such file or directory"#),
            ("decode $'\\u202e'", #"Can't read '\u{202E}': No such file or directory"#),
        ])
        func anErrorIsOneLineThatNamesTheFile(arguments: String, text: String) async throws {
            let result = try await Tool.script("$TOOL " + arguments, in: directory)
            #expect(result.status == 1)
            #expect(result.output.isEmpty)
            #expect(result.errorLines.count == 1)
            #expect(result.error.contains(text), "\(result.error)")
            #expect(result.error.components(separatedBy: "Can't").count <= 2)
        }

        @Test func whatIsNoMessageIsWrittenAllTheSame() async throws {
            let result = try await Tool.script("$TOOL decode <(echo '{}')", in: directory)
            #expect(result.status == 1)
            #expect(result.output == "{}\n")
            #expect(result.error.contains("is no message: "))
        }

        @Test func samplesAreReadFromAnything() async throws {
            try directory.makeDirectory("real")
            try directory.link("real/link", to: "../m.json")
            try directory.link("linked", to: "real")
            for argument in ["- < m.json", "/dev/stdin < m.json", "<(cat m.json)", "link", "linked"] {
                let result = try await Tool.script("$TOOL measure --format csv \(argument)", in: directory)
                #expect(result.status == 0, "\(result.error)")
                #expect(result.output.contains(",json,1,\(plain.count),"))
            }
        }

        @Test func whatCannotBeReadHidesNothingElse() async throws {
            try directory.write([], "empty")
            let script = "$TOOL measure --format csv missing m.json empty /dev/null <(cat m.lz4)"
            let result = try await Tool.script(script, in: directory)
            #expect(result.status == 1)
            #expect(result.output.contains("all,as sent,json,2,"))
            #expect(result.errorLines.count == 3)
            for name in ["'missing'", "'empty'", "'/dev/null'"] { #expect(result.error.contains(name)) }
        }

        @Test(.enabled(if: Tool.canLoseRights)) func whatMayNotBeReadHidesNothingElse() async throws {
            try directory.write(plain, "d/other.json")
            try directory.write(plain, "d/locked/below.json")
            try directory.write(plain, "d/mine.json")
            let top = directory.location.path
            #expect(chmod(top, 0o755) == 0)
            for locked in ["/d/other.json", "/d/locked"] { #expect(chmod(top + locked, 0) == 0) }
            defer { _ = chmod(top + "/d/locked", 0o700) }
            let result = try await Tool.run(["measure", "--format", "csv", top + "/d"], through: Tool.withoutRights)
            #expect(result.status == 1)
            #expect(result.output.contains("all,as sent,json,1,"))
            #expect(
                result.errorLines == [
                    "Can't read '\(top)/d/locked': Permission denied",
                    "Can't read '\(top)/d/other.json': Permission denied",
                ])
        }

        @Test func aDictionaryIsWrittenToAnything() async throws {
            let messages = try (0..<20).map {
                try JSONMessageEncoder().encode(Message(queueName: "images", actorName: "resize", args: [.integer($0)]))
            }
            try directory.write(Array(messages.joined(separator: [UInt8(ascii: "\n")])), "lines.jsonl")
            try directory.write([], "target")
            try directory.link("output", to: "target")
            let script = """
                $TOOL train-dictionary lines.jsonl --output output > report && [ -L output ] &&
                $TOOL train-dictionary - --output - < lines.jsonl 2> report | cmp - target &&
                $TOOL train-dictionary lines.jsonl --output >(cat > copy) && wait $! && cmp copy target &&
                $TOOL train-dictionary lines.jsonl --output /dev/null && [ -c /dev/null ] && grep -q dictionary report
                """
            let result = try await Tool.script(script, in: directory)
            #expect(result.status == 0, "\(result.error) \(result.output)")
            let partly = try await Tool.script(
                "$TOOL train-dictionary lines.jsonl missing --output other", in: directory)
            #expect(partly.status == 1)
            #expect(partly.error == "Can't find 'missing': No such file or directory\n")
            #expect(try directory.read("other") == directory.read("target"))
        }

        @Test func aChartThatCannotBeWrittenHidesNoNumbers() async throws {
            let result = try await Tool.script("$TOOL measure --format csv m.json --chart missing/x.svg", in: directory)
            #expect(result.status == 1)
            #expect(result.output.contains("all,as sent,json,1,"))
            #expect(result.error == "Can't write 'missing/x.svg': No such file or directory\n")
        }

        #if os(Linux)
            /// Whether there is a program that makes a terminal.
            private static let canMakeTerminals = FileManager.default.isExecutableFile(atPath: "/usr/bin/script")

            @Test(.enabled(if: canMakeTerminals)) func nothingChangesTheStateOfATerminal() async throws {
                try directory.write(Array("{\"a\":\"\u{1B}[31m\u{9B}\u{202E}\"}".utf8), "hostile")
                let decoded = try await Tool.script("script -qec \"$TOOL decode hostile\" /dev/null", in: directory)
                #expect(decoded.status == 1)
                #expect(decoded.output.contains(#"{"a":"\u{1B}[31m\u{009B}\u{202E}"}"#))
                let encoded = try await Tool.script(
                    "script -qec \"$TOOL encode --encoder lz4 m.json\" /dev/null", in: directory)
                #expect(encoded.status == 1)
                #expect(encoded.output.contains("not for a terminal"))
            }
        #endif
    }
#endif
