#if Plugins
    import Foundation
    import TestSupport
    import Testing

    /// The tool with messages that somebody else has made as bad as they could.
    @Suite(.timeLimit(.minutes(10))) struct HostileFileTests {
        private let directory: TemporaryDirectory

        init() throws {
            directory = try TemporaryDirectory()
            for place in HostilePlace.all {
                try directory.write(place.message(HostileText.marks.text(bytes: 256 << 10)), "large/\(place.name)")
                for text in HostileText.all {
                    try directory.write(place.message(text.text(bytes: 300)), "small/\(place.name).\(text.name)")
                }
            }
        }

        /// How a tool ends that has done its work or says why it can't; a crash is 128 and more. Its memory is a gigabyte of
        /// addresses, and a quarter of an hour of the processor is what a square would take.
        private static let limits = "ulimit -c 0; ulimit -v 1048576; ulimit -t 120"

        @Test func everyMessageIsDecodedOrAnErrorOfOneLine() async throws {
            let result = try await Tool.script(
                """
                \(Self.limits)
                for file in large/*; do
                    $TOOL decode "$file" > output 2> error
                    status=$?
                    [ $status -le 1 ] && [ "$(wc -l < error)" -eq $status ] || echo "$file ends with $status: $(head -c 300 error)"
                done
                """, in: directory)
            #expect(result.output == "")
        }

        @Test(arguments: ["large", "small", "small --format json", "small --format csv"])
        func allOfThemAreMeasuredAndNothingPrintedThatATerminalActsOn(arguments: String) async throws {
            let result = try await Tool.script("\(Self.limits); $TOOL measure \(arguments)", in: directory)
            #expect(result.status <= 1, "\(result.error.prefix(300))")
            // Lines of CSV end as RFC 4180 has it.
            let lines = (result.output + result.error).replacing("\r\n", with: "\n")
            let printed = lines.unicodeScalars
            #expect(
                !printed.contains {
                    $0.value < 0x20 && $0 != "\n" || $0.value == 0x7F || $0.properties.isBidiControl
                })
        }
    }
#endif
