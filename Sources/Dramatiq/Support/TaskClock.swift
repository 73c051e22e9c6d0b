/// The time by which a broker's delays, ages and time limits are counted, so that tests can have one of their own.
package protocol TaskClock: Sendable {
    var moment: Moment { get }
    /// Milliseconds since 1970.
    var milliseconds: Int { get }
    /// How long ago a message was made, in milliseconds.
    func age(of timestamp: MessageTimestamp) -> Double
    /// Waits for a signal, at most until a time in milliseconds since 1970; possibly less, if the clock could be set
    /// meanwhile.
    func wait(for signal: Signal, until due: Int) async
}

/// The machine's own.
package struct SystemTaskClock: TaskClock {
    package init() {}

    package var moment: Moment { Moment.now }
    package var milliseconds: Int { SystemClock.milliseconds() }

    package func age(of timestamp: MessageTimestamp) -> Double {
        Double(SystemClock.milliseconds()) - timestamp.milliseconds
    }

    package func wait(for signal: Signal, until due: Int) async {
        // The wall clock can be set meanwhile, so no nap is longer than a minute.
        await signal.wait(until: .now + .milliseconds(min(due &- SystemClock.milliseconds(), 60_000)))
    }
}
