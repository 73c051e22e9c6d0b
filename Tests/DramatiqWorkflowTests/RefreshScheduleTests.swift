import Testing

@testable import DramatiqWorkflow

@Suite(.timeLimit(.minutes(10))) struct RefreshScheduleTests {
    @Test func refreshesAreFarBetween() {
        let schedule = RefreshSchedule()
        let start = ContinuousClock.now
        #expect(schedule.isDue("a", now: start))
        #expect(!schedule.isDue("a", now: start + .seconds(1)))
        #expect(schedule.isDue("b", now: start + .seconds(1)))
        #expect(!schedule.isDue("a", now: start + RefreshSchedule.interval - .seconds(1)))
        #expect(schedule.isDue("a", now: start + RefreshSchedule.interval))
        #expect(!schedule.wouldBeDue("a", now: start + RefreshSchedule.interval + .seconds(1)))
        #expect(schedule.wouldBeDue("c", now: start))
        schedule.note("c", now: start)
        #expect(!schedule.isDue("c", now: start + .seconds(1)))
        // However many there are, memory stays within bounds.
        for number in 0..<25_000 { #expect(schedule.isDue("\(number)", now: start)) }
        #expect(schedule.count <= 10_000)
    }
}
