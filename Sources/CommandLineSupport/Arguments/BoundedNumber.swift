/// Reads whole numbers among the arguments; what is allowed is part of the error.
///
///     @Option(parsing: .unconditional, transform: BoundedNumber(1...1000).read)
///
/// Unconditionally, so that `-1` is a number that is too small, and not an option that nobody knows.
package struct BoundedNumber: Sendable {
    package let range: ClosedRange<Int>

    package init(_ range: ClosedRange<Int>) {
        self.range = range
    }

    /// - Throws: ``ArgumentFault``.
    @Sendable package func read(_ text: String) throws(ArgumentFault) -> Int {
        guard let number = Int(text), range.contains(number) else {
            throw ArgumentFault("It must be a whole number from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }
}

/// What is wrong with an argument, and what is allowed. The parser puts the option and the value before it.
package struct ArgumentFault: Error, CustomStringConvertible {
    package let description: String

    package init(_ description: String) {
        self.description = description
    }
}
