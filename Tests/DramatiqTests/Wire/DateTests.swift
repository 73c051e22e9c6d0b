import Foundation
import Testing

@testable import Dramatiq

/// Times that others wrote down: any number becomes a date that can be shown.
@Suite struct DateTests {
    private static let first = Date(timeIntervalSince1970: -62_135_596_800)
    private static let last = Date(timeIntervalSince1970: 253_402_300_799.999)

    @Test func numbersThatNoClockShowsAreDates() throws {
        let extremes: [(Double, Date)] = [
            (.infinity, Self.last), (1e308, Self.last), (.greatestFiniteMagnitude, Self.last), (9.3e18, Self.last),
            (-.infinity, Self.first), (-1e308, Self.first), (.nan, Self.first), (.signalingNaN, Self.first),
            (-9.3e18, Self.first), (0, Date(timeIntervalSince1970: 0)), (-0.0, Date(timeIntervalSince1970: 0)),
            (.leastNonzeroMagnitude, Date(timeIntervalSince1970: 0)),
        ]
        for (milliseconds, date) in extremes {
            #expect(Date(milliseconds: milliseconds) == date, "\(milliseconds)")
            let timestamp = MessageTimestamp(fractionalMilliseconds: milliseconds)
            #expect(timestamp.date == date, "\(milliseconds)")
            #expect(Date(milliseconds: milliseconds).iso8601Text != nil, "\(milliseconds)")
            #expect(try JSONValue(encoding: timestamp.date) != .null)
        }
        #expect(MessageTimestamp(milliseconds: .max).date == Self.last)
        #expect(MessageTimestamp(milliseconds: .min).date == Self.first)
    }

    @Test func datesThatNoCalendarShowsAreNumbers() {
        let bounds = (Self.first.milliseconds, Self.last.milliseconds)
        #expect(bounds == (-62_135_596_800_000, 253_402_300_799_999))
        for (seconds, milliseconds) in [
            (Double.infinity, bounds.1), (1e308, bounds.1), (-.infinity, bounds.0), (-1e308, bounds.0),
            (.nan, bounds.0),
        ] {
            let date = Date(timeIntervalSince1970: seconds)
            #expect(date.milliseconds == milliseconds, "\(seconds)")
            #expect(MessageTimestamp(date) == MessageTimestamp(milliseconds: milliseconds))
        }
    }

    @Test func millisecondsSurvive() {
        var milliseconds: UInt64 = 1
        for _ in 0..<10_000 {
            milliseconds = milliseconds &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            let whole = Int(milliseconds >> 20) % 253_402_300_800_000
            for value in [whole, -whole % 62_135_596_800_000] {
                #expect(Date(milliseconds: Double(value)).milliseconds == value)
                #expect(MessageTimestamp(MessageTimestamp(milliseconds: value).date).milliseconds == Double(value))
            }
        }
    }
}
