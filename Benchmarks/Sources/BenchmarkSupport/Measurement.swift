import CAllocationCount

/// What one round came to.
public struct Measurement: Sendable {
    /// How many units were done: messages, tasks, bytes.
    public var work: Double
    public var seconds: Double
    /// Blocks allocated meanwhile by the whole process; `nil` where they can't be counted.
    public var allocations: Double?

    public init(work: Double, seconds: Double, allocations: Double? = nil) {
        self.work = work
        self.seconds = seconds
        self.allocations = allocations
    }

    /// Units per second.
    public var rate: Double { work / seconds }

    /// Measures a piece of work.
    ///
    /// - Parameter work: how many units the body does.
    public static func of(work: Double, _ body: () async throws -> Void) async rethrows -> Measurement {
        let allocations = allocation_count()
        let start = ContinuousClock.now
        try await body()
        let end = ContinuousClock.now
        return Measurement(
            work: work,
            seconds: (end - start).inSeconds,
            allocations: allocation_count_is_available() ? Double(allocation_count() - allocations) : nil
        )
    }

    /// Repeats a short piece of work for about as long as is given.
    ///
    /// - Parameter unitsPerCall: how many units one call of the body does.
    public static func repeating(
        unitsPerCall: Double,
        seconds: Double,
        _ body: () throws -> Void
    ) async rethrows -> Measurement {
        // As many calls at a time as make reading the clock cheap beside them.
        var batch = 1
        while true {
            let start = ContinuousClock.now
            for _ in 0..<batch { try body() }
            if start.duration(to: .now) > .milliseconds(2) { break }
            batch *= 2
        }
        let allocations = allocation_count()
        let start = ContinuousClock.now
        var calls = 0
        var elapsed = 0.0
        repeat {
            for _ in 0..<batch { try body() }
            calls += batch
            elapsed = start.duration(to: .now).inSeconds
        } while elapsed < seconds
        return Measurement(
            work: Double(calls) * unitsPerCall,
            seconds: elapsed,
            allocations: allocation_count_is_available() ? Double(allocation_count() - allocations) : nil
        )
    }
}

extension Duration {
    /// This duration in seconds.
    public var inSeconds: Double {
        Double(components.seconds) + Double(components.attoseconds) / 1e18
    }
}

/// Takes a value so that the work which made it can't be left out.
@inline(never)
@_optimize(none)
public func consume<Value>(_ value: Value) {}
