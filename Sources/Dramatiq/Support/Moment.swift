/// A point of time of `ContinuousClock`, for what is kept with every message.
///
/// The clock's own `Instant` has a layout that is only known when the program runs, and so has everything that stores
/// one: to copy it costs several times as much.
package struct Moment: Sendable, Hashable, Comparable {
    private static let origin = ContinuousClock.now

    private let sinceOrigin: Duration

    private init(sinceOrigin: Duration) {
        self.sinceOrigin = sinceOrigin
    }

    package init(_ instant: ContinuousClock.Instant) {
        sinceOrigin = Self.origin.duration(to: instant)
    }

    package static var now: Moment { Moment(ContinuousClock.now) }

    package var instant: ContinuousClock.Instant { Self.origin + sinceOrigin }

    package static func < (left: Moment, right: Moment) -> Bool { left.sinceOrigin < right.sinceOrigin }

    package static func + (moment: Moment, duration: Duration) -> Moment {
        Moment(sinceOrigin: moment.sinceOrigin + duration)
    }

    package static func - (left: Moment, right: Moment) -> Duration { left.sinceOrigin - right.sinceOrigin }
}
