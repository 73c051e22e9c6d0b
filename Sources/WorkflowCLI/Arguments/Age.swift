import CommandLineSupport
import Foundation

/// A length of time as one types it: a whole number and `s`, `m`, `h` or `d`.
struct Age: CustomStringConvertible {
    private static let units: [(letter: Character, seconds: Int64)] = [("d", 86_400), ("h", 3600), ("m", 60), ("s", 1)]
    private static let longest: Int64 = 36_500 * 86_400

    let duration: Duration

    init(_ duration: Duration) {
        self.duration = duration
    }

    /// How long ago something was.
    ///
    /// - Returns: `nil` for a date that no clock can have shown.
    init?(from date: Date, to now: Date) {
        let length = now.timeIntervalSince(date)
        guard length <= Double(Self.longest) else { return nil }
        duration = .milliseconds(max(0, (length * 1000).rounded()))
    }

    /// - Throws: ``ArgumentFault``.
    @Sendable static func read(_ text: String) throws(ArgumentFault) -> Age {
        guard let unit = units.first(where: { $0.letter == text.last }),
            text.dropLast().allSatisfy({ $0.isASCII && $0.isNumber }), let count = Int64(text.dropLast()),
            case let (seconds, overflow) = count.multipliedReportingOverflow(by: unit.seconds), !overflow,
            seconds <= longest
        else {
            throw ArgumentFault("It must be a whole number and s, m, h or d, such as 12h or 20d, up to 36500d")
        }
        return Age(.seconds(seconds))
    }

    /// In the two largest units that it has, rounded down.
    var description: String {
        var rest = duration.components.seconds
        var words: [String] = []
        for (letter, seconds) in Self.units where words.count < 2 {
            let count = rest / seconds
            rest %= seconds
            if count > 0 || !words.isEmpty { words.append("\(count) \(letter)") }
        }
        return words.isEmpty ? "0 s" : words.joined(separator: " ")
    }
}
