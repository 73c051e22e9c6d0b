import ArgumentParser

/// A length of time as one types it: a whole number and `s`, `m`, `h` or `d`.
struct Age: ExpressibleByArgument, CustomStringConvertible {
    private static let units: [(letter: Character, seconds: Int64)] = [("d", 86_400), ("h", 3600), ("m", 60), ("s", 1)]

    let duration: Duration

    init(_ duration: Duration) {
        self.duration = duration
    }

    init?(argument: String) {
        guard let unit = Self.units.first(where: { $0.letter == argument.last }),
            argument.dropLast().allSatisfy({ $0.isASCII && $0.isNumber }), let count = Int64(argument.dropLast())
        else { return nil }
        let (seconds, overflow) = count.multipliedReportingOverflow(by: unit.seconds)
        guard !overflow else { return nil }
        duration = .seconds(seconds)
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
