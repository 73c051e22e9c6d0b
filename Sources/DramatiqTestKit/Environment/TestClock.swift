package import Dramatiq
import Synchronization

/// A clock that stands still until it is moved, for tests in which time matters and none is to be waited for.
///
/// A ``TestEnvironment`` has one, by which messages are delayed, retried, too old and cancelled. Code that sleeps by a clock
/// that it is given can have this one:
///
///     let poll = TaskActor("poll") { [clock = environment.clock] in try await clock.sleep(for: .seconds(60)) }
public final class TestClock: Clock, Sendable {
    /// How far the clock has been moved since it was made.
    public struct Instant: InstantProtocol {
        /// Since the clock was made.
        public let sinceStart: Duration

        public init(sinceStart: Duration) {
            self.sinceStart = sinceStart
        }

        public func advanced(by duration: Duration) -> Instant { Instant(sinceStart: sinceStart + duration) }
        public func duration(to other: Instant) -> Duration { other.sinceStart - sinceStart }
        public static func < (left: Instant, right: Instant) -> Bool { left.sinceStart < right.sinceStart }
    }

    /// The attempt for which the current task works.
    @TaskLocal static var attempt: Int?

    private struct Sleeper {
        let id: Int
        let deadline: Instant
        /// The attempt that sleeps.
        let attempt: Int?
        let signal: Signal
    }

    private struct State {
        var now = Instant(sinceStart: .zero)
        var sleepers: [Sleeper] = []
        var nextSleeper = 0
        /// When it was moved, in milliseconds since 1970, and where to.
        var moves: [(time: Double, now: Instant)] = []
    }

    private let state = Mutex(State())
    private let start = Moment.now
    private let startMilliseconds = SystemClock.milliseconds()

    public init() {}

    public var now: Instant { state.withLock(\.now) }
    public var minimumResolution: Duration { .nanoseconds(1) }

    /// Moves the clock and wakes who has slept enough, in the order of their deadlines.
    ///
    /// - Parameter duration: how far; a negative one moves nothing.
    public func advance(by duration: Duration) {
        advance(to: now.advanced(by: duration))
    }

    /// Moves the clock, unless it is there already: it never goes back.
    public func advance(to instant: Instant) {
        let awake = state.withLock { state -> [Sleeper] in
            guard instant > state.now else { return [] }
            state.now = instant
            state.moves.append((SystemClock.fractionalMilliseconds(), instant))
            let awake = state.sleepers.filter { $0.deadline <= instant }
            state.sleepers.removeAll { $0.deadline <= instant }
            return awake
        }
        for sleeper in awake.sorted(by: { ($0.deadline, $0.id) < ($1.deadline, $1.id) }) { sleeper.signal.signal() }
    }

    /// Sleeps until the clock has been moved to an instant.
    ///
    /// - Throws: `CancellationError`.
    public func sleep(until deadline: Instant, tolerance: Duration? = nil) async throws {
        try Task.checkCancellation()
        await wait(for: Signal(), until: deadline, attempt: Self.attempt)
        try Task.checkCancellation()
    }

    private func wait(for signal: Signal, until deadline: Instant, attempt: Int?) async {
        let id = state.withLock { state -> Int? in
            guard deadline > state.now else { return nil }
            state.nextSleeper += 1
            state.sleepers.append(
                Sleeper(id: state.nextSleeper, deadline: deadline, attempt: attempt, signal: signal))
            return state.nextSleeper
        }
        guard let id else { return }
        await signal.wait()
        state.withLock { state in state.sleepers.removeAll { $0.id == id } }
    }

    /// The attempts that sleep, and the first deadline of all that do.
    var sleeping: (attempts: Set<Int>, next: Instant?) {
        state.withLock { state in
            (Set(state.sleepers.lazy.compactMap(\.attempt)), state.sleepers.lazy.map(\.deadline).min())
        }
    }

    /// The first instant at which it is as late as a number of milliseconds since 1970.
    func instant(milliseconds: Int) -> Instant {
        let (difference, overflow) = milliseconds.subtractingReportingOverflow(startMilliseconds)
        return Instant(sinceStart: .milliseconds(overflow ? .max : difference))
    }

    /// An instant as the worker counts.
    func instant(_ moment: Moment) -> Instant { Instant(sinceStart: moment - start) }

    /// As a store of counters asks for the time.
    package var instant: ContinuousClock.Instant { moment.instant }
}

extension TestClock: TaskClock {
    package var moment: Moment { start + now.sinceStart }

    package var milliseconds: Int {
        let (sum, overflow) = startMilliseconds.addingReportingOverflow(now.sinceStart.milliseconds)
        return overflow ? .max : sum
    }

    /// A message says when it was made by the machine's clock. How late it was by this one then is known.
    package func age(of timestamp: MessageTimestamp) -> Double {
        let time = timestamp.milliseconds
        let made = state.withLock { state in
            state.moves.last { $0.time <= time }?.now ?? Instant(sinceStart: .zero)
        }
        let early = min(0, time - Double(startMilliseconds))
        return Double((now.sinceStart - made.sinceStart).milliseconds) - early
    }

    package func wait(for signal: Signal, until due: Int) async {
        await wait(for: signal, until: instant(milliseconds: due), attempt: nil)
    }
}
