import Testing

@testable import DramatiqRedis

@Suite struct HeartbeatWatchTests {
    private typealias Heartbeat = HeartbeatWatch.Heartbeat

    private let start = ContinuousClock.now

    private func at(_ seconds: Double) -> ContinuousClock.Instant { start + .seconds(seconds) }

    private func silent(_ watch: HeartbeatWatch, since steady: Double = 0) -> [String] {
        watch.silent(for: .seconds(60), since: at(steady)).map(\.worker).sorted()
    }

    @Test func onlyWhatDoesNotChangeIsDead() {
        var watch = HeartbeatWatch()
        // Whatever the heartbeats say: the past, the future, or no time at all.
        let dead = ["1", "9e300", "inf", "-inf", "nan"].map { Heartbeat(worker: "dead \($0)", score: $0) }
        for look in 0...6 {
            let time = at(Double(look) * 15)
            watch.look(dead + [Heartbeat(worker: "alive", score: "\(-look)")], asked: time, answered: time)
            #expect(silent(watch) == (look < 4 ? [] : dead.map(\.worker).sorted()), "\(look)")
        }
    }

    @Test func itCountsFromWhenTheServerWasThere() {
        var watch = HeartbeatWatch()
        let worker = Heartbeat(worker: "w", score: "1")
        for time in [0.0, 100, 115, 130] { watch.look([worker], asked: at(time), answered: at(time)) }
        #expect(silent(watch, since: 0) == ["w"])
        #expect(silent(watch, since: 71) == [])
    }

    /// The server read what it answers at some time in between.
    @Test func timeOnTheWayIsNotSilence() {
        var watch = HeartbeatWatch()
        let worker = Heartbeat(worker: "w", score: "1")
        watch.look([worker], asked: at(0), answered: at(50))
        watch.look([worker], asked: at(100), answered: at(200))
        #expect(silent(watch) == [])
        watch.look([worker], asked: at(110), answered: at(110))
        #expect(silent(watch) == ["w"])
    }

    @Test func whatLeavesIsForgotten() {
        var watch = HeartbeatWatch()
        let worker = Heartbeat(worker: "w", score: "1")
        watch.look([worker], asked: at(0), answered: at(0))
        watch.look([], asked: at(50), answered: at(50))
        watch.look([worker], asked: at(100), answered: at(100))
        #expect(silent(watch) == [])
    }

    /// Ids are bytes: those that look the same are others.
    @Test func idsAreBytes() {
        var watch = HeartbeatWatch()
        let workers = [Heartbeat(worker: "caf\u{E9}", score: "1"), Heartbeat(worker: "cafe\u{301}", score: "2")]
        watch.look(workers, asked: at(0), answered: at(0))
        watch.look(workers, asked: at(60), answered: at(60))
        #expect(watch.silent(for: .seconds(60), since: at(0)).count == 2)
    }
}
