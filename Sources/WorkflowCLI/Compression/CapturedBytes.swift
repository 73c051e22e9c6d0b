#if Plugins
    import CommandLineSupport
    import Dramatiq

    /// Messages or a definition as other programs hand them over: with a line break from `redis-cli`, or a byte order
    /// mark from an editor.
    ///
    /// Decoders take exactly what encoders write. What is around it is the business of those who read what people have.
    struct CapturedBytes {
        /// What can't be a message in any format, and is easily recognized.
        enum Fault: Error, CustomStringConvertible {
            case empty
            case wideText
            case answer

            var description: String {
                switch self {
                case .empty: "It is empty"
                case .wideText: "It is text in UTF-16 or UTF-32; what is wanted is UTF-8"
                case .answer: "It is an answer as redis-cli shows it on a terminal; use redis-cli --raw"
                }
            }
        }

        private static let byteOrderMark: [UInt8] = [0xEF, 0xBB, 0xBF]
        private static let wideMarks: [[UInt8]] = [[0xFF, 0xFE], [0xFE, 0xFF], [0, 0, 0xFE, 0xFF]]
        /// What a text of ASCII begins with, too, if it has no mark.
        private static let wideBraces: [[UInt8]] = [
            [UInt8(ascii: "{"), 0], [0, UInt8(ascii: "{")], [0, 0, 0, UInt8(ascii: "{")],
        ]

        /// Without a byte order mark.
        let bytes: [UInt8]

        /// - Throws: ``Fault``.
        init(_ bytes: [UInt8]) throws(Fault) {
            self.bytes = bytes.starts(with: Self.byteOrderMark) ? Array(bytes.dropFirst(3)) : bytes
            if self.bytes.allSatisfy(Self.isSpace) { throw .empty }
            if (Self.wideMarks + Self.wideBraces).contains(where: { bytes.starts(with: $0) }) { throw .wideText }
            if Self.isAnswer(self.bytes) { throw .answer }
        }

        /// Whether it is text of JSON.
        var isObject: Bool { bytes.first { !Self.isSpace($0) } == UInt8(ascii: "{") }

        /// The bytes without the line break at their end, if there is one.
        var withoutLineBreak: [UInt8] { shortened.last ?? bytes }

        /// Reads the bytes as they are, or if that fails, without a line break at their end. In this order, since what is
        /// compressed may end with the same bytes.
        ///
        /// - Throws: what was thrown for the bytes as they are.
        func read<Result>(_ body: ([UInt8]) throws -> Result) throws -> Result {
            do {
                return try body(bytes)
            } catch {
                for candidate in shortened {
                    if let result = try? body(candidate) { return result }
                }
                throw error
            }
        }

        /// Without a line feed, and without a carriage return before it.
        private var shortened: [[UInt8]] {
            guard bytes.last == UInt8(ascii: "\n") else { return [] }
            let once = Array(bytes.dropLast())
            return once.last == UInt8(ascii: "\r") ? [once, Array(once.dropLast())] : [once]
        }

        /// `"text"`, `(nil)`, `(error) …`, `(integer) 1` or `1) "text"`. None begins as anything compressed does.
        private static func isAnswer(_ bytes: [UInt8]) -> Bool {
            let answers = ["\"", "(nil)", "(error) ", "(integer) ", "1) "]
            return answers.contains { bytes.starts(with: $0.utf8) }
        }

        private static func isSpace(_ byte: UInt8) -> Bool {
            [UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\r"), UInt8(ascii: "\n")].contains(byte)
        }
    }

    /// Why something that was read is of no use.
    struct InputError: Error, CustomStringConvertible {
        let description: String

        /// - Parameter complaint: as in "can't be decoded".
        init(_ path: FilePath, _ complaint: String, _ reason: any Error) {
            let name = path == .standardInput ? "Standard input" : path.named
            description = "\(name) \(complaint): \(PrintableText.escape("\(reason)"))"
        }
    }
#endif
