#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

extension Date {
    private static let microsecondsPerDay = 86_400_000_000
    /// From 1970 to 2001, from which Foundation counts.
    private static let referenceSeconds = 978_307_200

    /// The date as Python's `datetime.isoformat()` writes one in UTC, to the microsecond:
    /// `2026-11-25T15:21:28.123456+00:00`. `nil` outside of the years 1 to 9999, which Python doesn't have.
    var iso8601Text: String? {
        let exact = (timeIntervalSinceReferenceDate * 1_000_000).rounded()
        // Well beyond those years, and well within an integer.
        guard exact.magnitude < 1e18 else { return nil }
        let microseconds = Int(exact) + Self.referenceSeconds * 1_000_000
        let time = microseconds.quotientAndRemainder(floored: Self.microsecondsPerDay)
        let (year, month, day) = Self.civil(day: time.quotient)
        guard (1...9999).contains(year) else { return nil }
        let (second, fraction) = time.remainder.quotientAndRemainder(dividingBy: 1_000_000)
        var text = "\(year, digits: 4)-\(month, digits: 2)-\(day, digits: 2)"
        text += "T\(second / 3600, digits: 2):\(second / 60 % 60, digits: 2):\(second % 60, digits: 2)"
        if fraction != 0 { text += ".\(fraction, digits: 6)" }
        return text + "+00:00"
    }

    /// Reads what `datetime.isoformat()` writes for a time with a time zone, and the usual variants of it: `Z`, a space
    /// instead of `T`, any number of digits of a second. `nil` for anything else, among it a time without an offset:
    /// nobody knows which one was meant.
    init?(iso8601 text: String) {
        var rest = text.utf8[...]
        guard let year = rest.takeNumber(digits: 4), rest.take("-"), let month = rest.takeNumber(digits: 2),
            rest.take("-"), let day = rest.takeNumber(digits: 2), rest.take("T") || rest.take("t") || rest.take(" "),
            let hour = rest.takeNumber(digits: 2), rest.take(":"), let minute = rest.takeNumber(digits: 2),
            (1...9999).contains(year), (1...12).contains(month), (1...31).contains(day), hour < 24, minute < 60
        else { return nil }
        let days = Self.day(year, month, day)
        guard Self.civil(day: days) == (year, month, day) else { return nil }
        var second = 0
        var nanoseconds = 0
        if rest.take(":") {
            guard let value = rest.takeNumber(digits: 2), value < 60 else { return nil }
            second = value
            if rest.take(".") || rest.take(",") {
                guard let value = rest.takeNanoseconds() else { return nil }
                nanoseconds = value
            }
        }
        guard let offset = rest.takeOffset(), rest.isEmpty else { return nil }
        let seconds = days * 86_400 + hour * 3600 + minute * 60 + second - offset
        self.init(
            timeIntervalSinceReferenceDate: Double(seconds - Self.referenceSeconds) + Double(nanoseconds) / 1e9)
    }

    // Days are counted from 1970 and years from March on, so that the odd day is a year's last (H. Hinnant,
    // "chrono-Compatible Low-Level Date Algorithms").

    private static func civil(day: Int) -> (year: Int, month: Int, day: Int) {
        let (era, dayOfEra) = (day + 719_468).quotientAndRemainder(floored: 146_097)
        let year = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * year + year / 4 - year / 100)
        let month = (5 * dayOfYear + 2) / 153
        let isNextYear = month >= 10
        return (
            era * 400 + year + (isNextYear ? 1 : 0), isNextYear ? month - 9 : month + 3,
            dayOfYear - (153 * month + 2) / 5 + 1
        )
    }

    private static func day(_ year: Int, _ month: Int, _ day: Int) -> Int {
        let (era, yearOfEra) = (month > 2 ? year : year - 1).quotientAndRemainder(floored: 400)
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }
}

extension Int {
    /// The quotient rounded down, and what is left, which is never negative.
    fileprivate func quotientAndRemainder(floored divisor: Int) -> (quotient: Int, remainder: Int) {
        let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
    }
}

extension String.StringInterpolation {
    fileprivate mutating func appendInterpolation(_ number: Int, digits: Int) {
        let text = String(number)
        appendLiteral(String(repeating: "0", count: Swift.max(0, digits - text.count)) + text)
    }
}

extension Substring.UTF8View {
    fileprivate mutating func take(_ character: Unicode.Scalar) -> Bool {
        guard first == UInt8(ascii: character) else { return false }
        removeFirst()
        return true
    }

    private mutating func takeDigit() -> Int? {
        guard let byte = first, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) else { return nil }
        removeFirst()
        return Int(byte - UInt8(ascii: "0"))
    }

    fileprivate mutating func takeNumber(digits: Int) -> Int? {
        var number = 0
        for _ in 0..<digits {
            guard let digit = takeDigit() else { return nil }
            number = number * 10 + digit
        }
        return number
    }

    /// The digits behind the point, of which those beyond the ninth mean nothing.
    fileprivate mutating func takeNanoseconds() -> Int? {
        guard var nanoseconds = takeDigit() else { return nil }
        var count = 1
        while let digit = takeDigit() {
            if count < 9 { nanoseconds = nanoseconds * 10 + digit }
            count += 1
        }
        while count < 9 {
            nanoseconds *= 10
            count += 1
        }
        return nanoseconds
    }

    /// `Z`, `+hh`, `+hh:mm`, `+hhmm` or `+hh:mm:ss`, in seconds.
    fileprivate mutating func takeOffset() -> Int? {
        if take("Z") || take("z") { return 0 }
        let isNegative = take("-")
        guard isNegative || take("+"), let hours = takeNumber(digits: 2), hours < 24 else { return nil }
        var seconds = hours * 3600
        if take(":") || !isEmpty {
            guard let minutes = takeNumber(digits: 2), minutes < 60 else { return nil }
            seconds += minutes * 60
            if take(":") {
                guard let value = takeNumber(digits: 2), value < 60 else { return nil }
                seconds += value
            }
        }
        return isNegative ? -seconds : seconds
    }
}
