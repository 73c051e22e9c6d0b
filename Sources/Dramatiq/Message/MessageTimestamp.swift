#if canImport(FoundationEssentials)
    public import FoundationEssentials
#else
    public import Foundation
#endif

/// When a message was enqueued, in milliseconds since 1970.
///
/// Plain messages carry an integer and messages that a workflow enqueued carry a fraction; each is written back as it
/// was read.
public struct MessageTimestamp: Sendable, Hashable {
    enum Value: Sendable, Hashable {
        case integer(Int)
        case fractional(Double)
    }

    var value: Value

    /// A whole number of milliseconds, written as a JSON integer.
    public init(milliseconds: Int) {
        value = .integer(milliseconds)
    }

    /// Milliseconds with a fraction, written as a JSON float.
    public init(fractionalMilliseconds milliseconds: Double) {
        value = .fractional(milliseconds)
    }

    /// A date in whole milliseconds, brought into the years 1 to 9999.
    public init(_ date: Date) {
        self.init(milliseconds: date.milliseconds)
    }

    /// Now, in whole milliseconds.
    public static var now: MessageTimestamp {
        MessageTimestamp(milliseconds: SystemClock.milliseconds())
    }

    /// Now, with a fraction.
    public static var fractionalNow: MessageTimestamp {
        MessageTimestamp(fractionalMilliseconds: SystemClock.fractionalMilliseconds())
    }

    /// Milliseconds since 1970.
    public var milliseconds: Double {
        switch value {
        case .integer(let milliseconds): Double(milliseconds)
        case .fractional(let milliseconds): milliseconds
        }
    }

    /// The date that it stands for. What lies outside of the years 1 to 9999, as only a message from elsewhere can,
    /// becomes their first or last moment.
    public var date: Date { Date(milliseconds: milliseconds) }

    /// The time that is some milliseconds later.
    package func later(by milliseconds: Int) -> MessageTimestamp {
        switch value {
        case .integer(let earlier):
            let (later, overflow) = earlier.addingReportingOverflow(milliseconds)
            return overflow ? self : MessageTimestamp(milliseconds: later)
        case .fractional(let earlier):
            return MessageTimestamp(fractionalMilliseconds: earlier + Double(milliseconds))
        }
    }

    /// The timestamp as JSON.
    public var jsonValue: JSONValue {
        switch value {
        case .integer(let milliseconds): .integer(milliseconds)
        case .fractional(let milliseconds): .double(milliseconds)
        }
    }

    init?(_ value: JSONValue) {
        switch value {
        case .integer(let milliseconds): self.init(milliseconds: milliseconds)
        default:
            guard let milliseconds = value.doubleValue else { return nil }
            self.init(fractionalMilliseconds: milliseconds)
        }
    }
}
