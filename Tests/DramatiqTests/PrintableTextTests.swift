import Foundation
import Logging
import TestSupport
import Testing

@testable import Dramatiq

/// What comes from outside reaches logs, reasons and terminals as one line that shows nothing but itself.
@Suite(.timeLimit(.minutes(10))) struct PrintableTextTests {
    /// Scalars that none of them may have: controls, what turns the direction, what can't be seen, line ends.
    private static let unsafe: [Unicode.Scalar] =
        (0..<0x20).map { Unicode.Scalar($0 as UInt8) } + (0x7F..<0xA0).map { Unicode.Scalar($0 as UInt8) } + [
            "\u{AD}", "\u{61C}", "\u{200B}", "\u{200D}", "\u{200E}", "\u{200F}", "\u{2028}", "\u{2029}", "\u{202A}",
            "\u{202B}", "\u{202C}", "\u{202D}", "\u{202E}", "\u{2066}", "\u{2067}", "\u{2068}", "\u{2069}", "\u{FEFF}",
            "\u{E0001}", "\u{E0041}",
        ]
    private static let hostile =
        "a" + unsafe.map { String($0) }.joined(separator: "b") + "\u{1B}]0;title\u{7}\r\nforged"

    private static func isPrintable(_ text: String) -> Bool {
        !text.unicodeScalars.contains { unsafe.contains($0) }
    }

    @Test func whatIsUnsafeIsEscapedAndNothingElse() {
        #expect(Self.isPrintable(PrintableText.escape(Self.hostile)))
        #expect(PrintableText.escape("a\n\u{1B}[2J\u{202E}") == #"a\n\u{1B}[2J\u{202E}"#)
        for text in ["", "plain", "Grüße, 東京, 👩", "e\u{301}", #"\n"#] { #expect(PrintableText.escape(text) == text) }
        // Twice is once.
        #expect(PrintableText.escape(PrintableText.escape(Self.hostile)) == PrintableText.escape(Self.hostile))
    }

    @Test func aLimitIsInBytes() {
        let marks = "a" + String(repeating: "\u{301}\u{316}", count: 100_000)
        #expect(marks.count == 1)
        for limit in [0, 1, 2, 3, 4, 100, 8192] {
            let text = PrintableText.escape(marks, limit: limit)
            #expect(text.utf8.count <= limit + "…".utf8.count)
            #expect(text.utf8.count >= limit - 3)
            #expect(PrintableText.escape(String(repeating: "\n", count: 10_000), limit: limit).utf8.count <= limit + 3)
        }
        #expect(PrintableText.escape("abc", limit: 3) == "abc")
        #expect(PrintableText.escape("abcd", limit: 3) == "abc…")
    }

    @Test func jsonStaysTheSameJSON() throws {
        for text in Self.unsafe.map({ "x\($0)y" }) + [Self.hostile, "Grüße"] {
            let value: JSONValue = .object(["key \(text)": .string(text)])
            let line = PrintableText.escape(json: "\(value)")
            #expect(Self.isPrintable(line))
            #expect(try JSONValue(parsing: line) == value)
        }
        // As a message may have it.
        #expect(
            PrintableText.escape(json: "{\n\t\"a\":\r\n \"\u{202E}\u{E0001}\"}") == #"{  "a":   "\u202e\udb40\udc01"}"#)
    }

    // MARK: Logs

    private struct Hostile: Error, CustomStringConvertible {
        let description: String
    }

    @Test func everyTextOfALogIsPrintable() {
        let log = RecordingLog()
        var logger = log.logger.printable.printable
        logger.logLevel = .info
        logger[metadataKey: "mine"] = "1"
        #expect(logger.logLevel == .info)
        logger.debug("\(Self.hostile)")
        logger.info(
            "\(Self.hostile)",
            metadata: [
                "a": "\(Self.hostile)", "b": ["\(Self.hostile)"],
                "c": ["d": .stringConvertible(Hostile(description: Self.hostile))],
                "long": "\(String(repeating: "\u{301}", count: 100_000))",
            ])
        #expect(log.entries.count == 1)
        for entry in log.entries {
            #expect(Self.isPrintable(entry.message))
            #expect(entry.metadata.values.allSatisfy { Self.isPrintable($0) && $0.utf8.count < 5000 })
            #expect(entry.metadata["mine"] == "1")
        }
    }

    /// A message whose every text is hostile, and an actor that fails with what it was given.
    @Test func whatAMessageHoldsForgesNoLineOfALog() async throws {
        let transport = InMemoryTransport()
        let log = RecordingLog()
        let broker = Broker(transport: transport, logger: log.logger)
        let task = TaskActor(
            "task", options: [.maxRetries(1), .minBackoff(.milliseconds(1)), .maxBackoff(.milliseconds(1))]
        ) {
            (text: String) in throw Hostile(description: text)
        }
        try await broker.declare(task)
        var failing = task.message(Self.hostile)
        failing.messageID = Self.hostile
        failing.options["max_age"] = .string(Self.hostile)
        var unknown = task.message("x")
        unknown.actorName = Self.hostile
        var mismatched = task.message("x")
        mismatched.args = [.string(Self.hostile), 1]
        mismatched.kwargs = [Self.hostile: 1]
        let long = String(repeating: "\u{301}\u{316}", count: 70_000)
        try await withWorker(Worker(broker)) {
            try await broker.enqueue([failing, task.message(Self.hostile), task.message(long), unknown, mismatched])
            try await transport.join(timeout: .patience)
        }
        let letters = transport.deadLetters()
        #expect(letters.count == 5)
        for letter in letters {
            #expect(Self.isPrintable(letter.reason), "\(PrintableText.escape(letter.reason))")
            #expect(letter.reason.utf8.count <= PrintableText.reasonLimit + 3)
        }
        #expect(!log.complaints.isEmpty)
        for entry in log.entries {
            #expect(Self.isPrintable(entry.message))
            for (key, value) in entry.metadata {
                #expect(Self.isPrintable(value) && value.utf8.count <= PrintableText.logLimit + 3, "\(key)")
            }
        }
    }

    /// Whoever rejects a delivery with a commit of their own.
    @Test func aReasonIsKeptAsOneLineWhoeverGivesIt() async throws {
        let transport = InMemoryTransport()
        let broker = Broker(transport: transport)
        let task = TaskActor("task") {}
        try await broker.declare(task)
        try await task.send(to: broker)
        let consumer = try await transport.consumer(of: "default", prefetch: 1)
        for delivery in try await consumer.next(limit: 1) {
            try await transport.end(delivery, .reject(reason: Self.hostile))
        }
        await consumer.close()
        let letter = try #require(transport.deadLetters().first)
        #expect(Self.isPrintable(letter.reason))
    }
}
