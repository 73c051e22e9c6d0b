#if canImport(FoundationEssentials)
    package import FoundationEssentials
#else
    package import Foundation
#endif

extension Date {
    /// The years 1 to 9999, which every calendar and format can show, in milliseconds since 1970.
    private static let years = -62_135_596_800_000.0...253_402_300_799_999.0

    /// The date that somebody else wrote down as a number.
    ///
    /// - Parameter milliseconds: since 1970. What lies outside of the years 1 to 9999 becomes their first or last moment,
    ///   and what is no number the first.
    package init(milliseconds: Double) {
        self.init(timeIntervalSince1970: Self.bounded(milliseconds) / 1000)
    }

    /// Whole milliseconds since 1970, brought into the same years.
    package var milliseconds: Int { Int(Self.bounded((timeIntervalSince1970 * 1000).rounded())) }

    private static func bounded(_ milliseconds: Double) -> Double {
        milliseconds.isNaN ? years.lowerBound : min(max(milliseconds, years.lowerBound), years.upperBound)
    }
}
