import Testing

@testable import DramatiqS3Storage

/// When objects get a new date.
@Suite(.timeLimit(.minutes(10))) struct RenewalTests {
    private static let day = 86_400
    private let now = 20_000 * day

    private func decide(
        age: Int,
        keepUntil: Int? = nil,
        wait: Int = 0,
        _ retention: S3Retention = S3Retention()
    ) -> Renewal.Decision {
        Renewal.decide(
            Renewal.Dates(modified: now - age, keepUntil: keepUntil), now: now, wait: .seconds(wait), retention)
    }

    @Test func withoutARuleAnObjectIsCopiedOnceADayAtMost() {
        #expect(S3Retention().age == .seconds(17 * Self.day))
        #expect(decide(age: 0) == .nothing)
        #expect(decide(age: Self.day) == .nothing)
        #expect(decide(age: Self.day + 1) == .copy(keepUntil: nil))
        // A clock that is behind.
        #expect(decide(age: -1000) == .nothing)
    }

    @Test func withoutARuleAnObjectSaysForHowLongItIsNeeded() throws {
        guard case .copy(let mark?) = decide(age: 0, wait: 30 * Self.day) else {
            Issue.record("It has to be kept for longer")
            return
        }
        #expect(mark >= now + 46 * Self.day)
        #expect(decide(age: 0, keepUntil: mark, wait: 30 * Self.day) == .nothing)
        #expect(decide(age: 0, keepUntil: mark, wait: 31 * Self.day) == .nothing, "somewhat more is no new copy")
        #expect(decide(age: 0, keepUntil: mark, wait: 33 * Self.day) != .nothing)
        // Who needs less leaves the mark as it is.
        #expect(decide(age: 40 * Self.day, keepUntil: mark) == .nothing)
        #expect(
            decide(age: 5 * Self.day, keepUntil: now + 17 * Self.day, wait: 20 * Self.day)
                == .copy(keepUntil: now + 37 * Self.day))
        #expect(decide(age: 0, wait: .max) != .nothing)
    }

    @Test func sweepsLeaveWhatIsNeeded() {
        let retention = S3Retention()
        func isOver(_ days: Int, keepUntil: Int? = nil) -> Bool {
            let dates = Renewal.Dates(modified: now - days * Self.day, keepUntil: keepUntil)
            return Renewal.age(dates, now: now, retention) > retention.age
        }
        #expect(!isOver(17) && isOver(18))
        #expect(!isOver(18, keepUntil: now) && isOver(18, keepUntil: now - 1))
        // What waits has a negative age: its wait ends in ten days.
        guard case .copy(let mark) = decide(age: 0, wait: 10 * Self.day) else { return #expect(Bool(false)) }
        let dates = Renewal.Dates(modified: now, keepUntil: mark)
        #expect(Renewal.age(dates, now: now + 3 * Self.day, retention) == .seconds(-7 * Self.day))
    }

    @Test func withARuleWhatItCanNotKeepIsRefused() {
        let retention = S3Retention(lifecycleDays: 46)
        #expect(decide(age: 30 * Self.day, retention) == .nothing)
        #expect(decide(age: 30 * Self.day + 1, retention) == .copy(keepUntil: nil))
        #expect(decide(age: 0, wait: 30 * Self.day, retention) == .nothing)
        #expect(decide(age: 1, wait: 30 * Self.day, retention) == .copy(keepUntil: nil))
        #expect(decide(age: 0, wait: 30 * Self.day + 1, retention) == .impossible(longestWait: 30 * Self.day))
        #expect(decide(age: 0, wait: .max, retention) == .impossible(longestWait: 30 * Self.day))
    }

    @Test func aRuleThatRemovesTooEarlyIsRefused() throws {
        for days in [1, 15, 0, -1] {
            #expect(throws: S3StoreError.self) {
                try S3WorkflowStore(S3Configuration(bucket: "bucket", retention: S3Retention(lifecycleDays: days)))
            }
        }
        _ = try S3WorkflowStore(S3Configuration(bucket: "bucket", retention: S3Retention(lifecycleDays: 16)))
        _ = try S3WorkflowStore(S3Configuration(bucket: "bucket", retention: S3Retention(lifecycleDays: .max)))
    }
}
