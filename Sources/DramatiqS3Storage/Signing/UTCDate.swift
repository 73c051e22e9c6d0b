/// Dates as S3 writes and reads them, always in UTC, to the second.
///
/// Days are counted in the proleptic Gregorian calendar by Howard Hinnant's `days_from_civil` and `civil_from_days`.
struct UTCDate: Hashable {
    /// The seconds since 1970.
    let seconds: Int

    private static let secondsPerDay = 86_400
    private static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]

    init(seconds: Int) {
        self.seconds = seconds
    }

    /// `nil` unless it is a date of the years 1 to 9999.
    private init?(_ year: Int?, _ month: Int?, _ day: Int?, _ hour: Int?, _ minute: Int?, _ second: Int?) {
        guard let year, let month, let day, let hour, let minute, let second,
            (1...9999).contains(year), (1...12).contains(month), (1...31).contains(day),
            (0...23).contains(hour), (0...59).contains(minute), (0...60).contains(second)
        else { return nil }
        let shifted = month > 2 ? year : year - 1
        let era = shifted / 400
        let yearOfEra = shifted - era * 400
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        seconds = (era * 146_097 + dayOfEra - 719_468) * Self.secondsPerDay + hour * 3600 + minute * 60 + second
    }

    /// Reads the date of an HTTP header: `Fri, 24 May 2013 00:00:00 GMT`.
    init?(http text: String) {
        let words = text.split(whereSeparator: { $0 == " " || $0 == ":" })
        guard text.utf8.count <= 40, words.count == 8, words[7] == "GMT",
            let month = Self.months.firstIndex(of: String(words[2]))
        else { return nil }
        self.init(
            Self.number(words[3]), month + 1, Self.number(words[1]), Self.number(words[4]), Self.number(words[5]),
            Self.number(words[6]))
    }

    /// Reads the date of a list or of credentials: `2013-05-24T00:00:00.000Z`, with or without a fraction.
    init?(iso8601 text: String) {
        guard text.utf8.count <= 40, text.utf8.allSatisfy({ $0 < 0x80 }), text.last == "Z" else { return nil }
        let parts = text.dropLast().split(separator: "T", omittingEmptySubsequences: false)
        guard parts.count == 2 else { return nil }
        let date = parts[0].split(separator: "-", omittingEmptySubsequences: false).map(Self.number)
        let clock = parts[1].split(separator: ".", omittingEmptySubsequences: false)
        let time = clock[0].split(separator: ":", omittingEmptySubsequences: false).map(Self.number)
        guard clock.count <= 2, date.count == 3, time.count == 3 else { return nil }
        self.init(date[0], date[1], date[2], time[0], time[1], time[2])
    }

    /// As signatures have it: `20130524T000000Z`.
    var stamp: String {
        let time = seconds - days * Self.secondsPerDay
        return day + "T" + Self.padded(time / 3600) + Self.padded(time / 60 % 60) + Self.padded(time % 60) + "Z"
    }

    /// As the scope of signatures has it: `20130524`.
    var day: String {
        let shifted = days + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        return Self.padded(year, 4) + Self.padded(month) + Self.padded(dayOfYear - (153 * shiftedMonth + 2) / 5 + 1)
    }

    private var days: Int {
        seconds >= 0 ? seconds / Self.secondsPerDay : (seconds - Self.secondsPerDay + 1) / Self.secondsPerDay
    }

    private static func padded(_ number: Int, _ width: Int = 2) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }

    private static func number(_ digits: Substring) -> Int? {
        guard (1...4).contains(digits.utf8.count), digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else {
            return nil
        }
        return Int(digits)
    }
}
