import DramatiqRedis
import NIOCore
import Testing

@Suite struct ConnectionStateMachineTests {
    private typealias Machine = ConnectionStateMachine<String>

    private static let closed = RedisError(.connectionClosed, "gone", mayHaveTakenEffect: true)

    @Test func theFirstRequestConnectsAndIsSentAfterTheHandshake() {
        var machine = Machine.make()
        #expect(machine.submit("a") == "connect")
        #expect(machine.submit("b", id: 2) == "wait")
        #expect(machine.connected(now: .zero)?.name == "HELLO")
        #expect(machine.takeSendable(now: .zero).isEmpty == true)
        guard case .ready = machine.receive(.hello) else {
            Issue.record("not ready")
            return
        }
        #expect(machine.takeSendable(now: .zero) == ["a", "b"])
        #expect(machine.submit("c", id: 3) == "send")
        #expect([machine.answer(1), machine.answer(2), machine.answer(3)] == ["a", "b", "c"])
        #expect(machine.commandCount == 0)
    }

    @Test func anAttemptThatFailsTellsThoseWhoWaitAndBacksOff() {
        var machine = Machine.make()
        #expect(machine.submit("a") == "connect")
        var pauses: [Int64] = []
        for round in 0..<8 {
            let error = RedisError(.connectionFailed, "refused")
            let loss = machine.disconnected(error, jitter: round == 7 ? 0 : 1)
            #expect(loss.failed.map(\.request) == [round == 0 ? "a" : "b"])
            #expect(loss.failed.first?.results == [.failure(error)])
            pauses.append(loss.reconnectAfter.map { $0.nanoseconds / 1_000_000 } ?? -1)
            // It waits for the next attempt, which comes after the pause and no sooner.
            #expect(machine.submit("b", id: UInt64(round + 2)) == "wait")
            #expect(machine.backoffElapsed() == .connect)
        }
        #expect(pauses == [50, 100, 200, 400, 800, 1600, 2000, 1000])
    }

    @Test func nobodyWaitingMeansNoFurtherAttempt() {
        var machine = Machine.make()
        #expect(machine.submit("a") == "connect")
        #expect(machine.disconnected(Self.closed, jitter: 0).reconnectAfter != nil)
        #expect(machine.backoffElapsed() == .none)
        #expect(machine.submit("b", id: 2) == "connect")
    }

    @Test func aWantedConnectionIsMadeAgainForNobody() {
        var machine = Machine.make()
        #expect(machine.stayConnected() == .connect)
        machine.becomeReady(connecting: false)
        let loss = machine.disconnected(Self.closed, jitter: 0)
        #expect(loss.reconnectAfter == .zero)
        #expect(machine.backoffElapsed() == .connect)
        #expect(machine.stayConnected() == .none)
    }

    @Test func aLossFailsWhatWasSentAndKeepsWhatWaits() {
        var machine = Machine.make(ready: true)
        #expect(machine.submit("a") == "send")
        machine.writabilityChanged(false)
        #expect(machine.submit("b", id: 2) == "wait")
        let loss = machine.disconnected(Self.closed, jitter: 0)
        #expect(loss.failed.map(\.request) == ["a"])
        #expect(loss.failed.first?.results == [.failure(Self.closed)])
        #expect(loss.reconnectAfter == .zero)
        #expect(machine.backoffElapsed() == .connect)
        machine.becomeReady(connecting: false)
        #expect(machine.takeSendable(now: .zero) == ["b"])
    }

    @Test func aConnectionThatIsLostAgainAndAgainBeforeAnyAnswerBacksOff() {
        var machine = Machine.make()
        #expect(machine.stayConnected() == .connect)
        var pauses: [Int64] = []
        for round in 0..<5 {
            machine.becomeReady(connecting: false)
            if round == 3 {
                #expect(machine.submit("a") == "send")
                #expect(machine.answer(1) == "a")
            }
            let loss = machine.disconnected(Self.closed, jitter: 1)
            pauses.append(loss.reconnectAfter.map { $0.nanoseconds / 1_000_000 } ?? -1)
            #expect(machine.backoffElapsed() == .connect)
        }
        #expect(pauses == [0, 50, 100, 0, 50])
    }

    @Test func aLossDuringTheHandshakeMeansThatNothingWasSent() {
        var machine = Machine.make()
        #expect(machine.submit("a") == "connect")
        _ = machine.connected(now: .zero)
        let error = try? machine.disconnected(Self.closed, jitter: 0).failed.first?.results.first?.get()
        #expect(error == nil)
        #expect(machine.submit("b", id: 2) == "wait")
        #expect(machine.backoffElapsed() == .connect)
        guard case .failure(let error) = machine.disconnected(Self.closed, jitter: 0).failed.first?.results.first else {
            Issue.record("nothing failed")
            return
        }
        #expect(error.code == .connectionFailed && !error.mayHaveTakenEffect && error.isTransient)
    }

    @Test func cancellingNeverClosesASharedConnection() {
        var machine = Machine.make(ready: true)
        #expect(machine.submit("a") == "send")
        #expect(machine.submit("b", id: 2) == "send")
        #expect(machine.cancel(id: 1) == .none)
        #expect(machine.answer(1) == nil)
        #expect(machine.answer(2) == "b")
    }

    @Test func cancellingClosesAConnectionThatBlocks() {
        var machine = Machine.make(ready: true, isBlocking: true)
        #expect(machine.submit("a") == "send")
        #expect(machine.cancel(id: 1) == .close)
        #expect(machine.closed(Self.closed).failed.isEmpty == true)
        #expect(machine.submit("b", id: 2) == "connect")
    }

    @Test func closingForReasonsOfOurOwnIsNoFailure() {
        var machine = Machine.make(isBlocking: true)
        #expect(machine.submit("0", id: 0) == "connect")
        for id in 1...5 {
            machine.becomeReady(connecting: false)
            #expect(machine.takeSendable(now: .zero) == ["\(id - 1)"])
            #expect(machine.cancel(id: UInt64(id - 1)) == .close)
            machine.writabilityChanged(false)
            #expect(machine.submit("\(id)", id: UInt64(id)) == "wait")
            #expect(machine.closed(Self.closed).reconnectAfter == .zero)
            #expect(machine.backoffElapsed() == .connect)
        }
    }

    @Test func whatIsCancelledWhileItWaitsIsNeverSent() {
        var machine = Machine.make()
        for id in 1...10 { _ = machine.submit("\(id)", id: UInt64(id)) }
        for id in [1, 3, 4, 5, 6, 7, 8, 10] { #expect(machine.cancel(id: UInt64(id)) == .none) }
        #expect(machine.commandCount == 2)
        machine.becomeReady(connecting: false)
        #expect(machine.takeSendable(now: .zero) == ["2", "9"])
    }

    @Test func pushesAnswerNothing() {
        var machine = Machine.make(ready: true)
        #expect(machine.submit("a") == "send")
        guard case .none = machine.receive(.push([.string("invalidate")])) else {
            Issue.record("a push was taken for an answer")
            return
        }
        #expect(machine.answer(1) == "a")
    }

    @Test func whatComesOutOfBandTooEarlyClosesTheConnection() {
        var machine = Machine.make()
        #expect(machine.submit("a") == "connect")
        #expect(machine.connected(now: .zero)?.name == "HELLO")
        guard case .close(let error) = machine.receive(.push([.string("invalidate")])) else {
            Issue.record("not closed")
            return
        }
        #expect(error.code == .malformedReply)
    }

    @Test func anAnswerToNothingClosesTheConnection() {
        var machine = Machine.make(ready: true)
        guard case .close(let error) = machine.receive(.reply(.integer(1))) else {
            Issue.record("not closed")
            return
        }
        #expect(error.code == .malformedReply)
    }

    @Test func aServerThatBecameAReplicaIsLeftWhenAllIsAnswered() {
        var machine = Machine.make(ready: true)
        #expect(machine.submit("a") == "send")
        #expect(machine.submit("b", id: 2) == "send")
        guard
            case .complete(let outcome) = machine.receive(
                .reply(.error(RedisError(.server, "READONLY You can't write against a read only replica."))))
        else {
            Issue.record("not answered")
            return
        }
        #expect(outcome.request == "a")
        #expect(machine.submit("c", id: 3) == "wait")
        #expect(machine.isDrained == false)
        #expect(machine.answer(2) == "b")
        #expect(machine.isDrained == true)
        #expect(machine.closed(Self.closed).reconnectAfter == .zero)
        #expect(machine.backoffElapsed() == .connect)
        machine.becomeReady(connecting: false)
        #expect(machine.takeSendable(now: .zero) == ["c"])
    }

    // MARK: Time

    @Test func requestsAreGivenUpWhereverTheyAre() {
        var machine = Machine.make()
        #expect(machine.submit("a", deadline: 5) == "connect")
        #expect(machine.nextDeadline == .uptimeNanoseconds(5))
        var expiry = machine.expire(now: .uptimeNanoseconds(5))
        #expect(expiry.failed.map(\.request) == ["a"])
        #expect(expiry.failed.first?.error?.code == .commandTimeout)
        #expect(expiry.failed.first?.error?.mayHaveTakenEffect == false)
        machine.becomeReady(connecting: false)
        #expect(machine.submit("b", id: 2, deadline: 9) == "send")
        expiry = machine.expire(now: .uptimeNanoseconds(9))
        #expect(expiry.failed.map(\.request) == ["b"])
        #expect(expiry.failed.first?.error?.mayHaveTakenEffect == true)
        #expect(expiry.close == nil)
        // The late answer is b's, and dropped.
        #expect(machine.submit("c", id: 3) == "send")
        #expect(machine.answer(1) == nil)
        #expect(machine.answer(2) == "c")
    }

    @Test func aServerThatOwesAnswersAndIsSilentIsGivenUp() {
        var machine = Machine.make(ready: true)
        let second = Int64(1_000_000_000)
        #expect(machine.submit("a", deadline: 15 * UInt64(second), now: 0) == "send")
        #expect(machine.expire(now: .zero + .seconds(15)).failed.count == 1)
        #expect(machine.nextDeadline == .zero + .seconds(30))
        machine.received(now: .zero + .seconds(20))
        #expect(machine.expire(now: .zero + .seconds(30)).close == nil)
        #expect(machine.nextDeadline == .zero + .seconds(50))
        #expect(machine.expire(now: .zero + .seconds(50)).close == .silent)
    }

    @Test func aServerThatOwesNothingMayBeSilent() {
        var machine = Machine.make(ready: true)
        #expect(machine.submit("a") == "send")
        #expect(machine.answer(1) == "a")
        #expect(machine.nextDeadline == nil)
        #expect(machine.expire(now: .zero + .hours(1)).close == nil)
    }

    @Test func aConnectionThatBlocksIsGivenUpWithItsCommandOrWhenUnused() {
        var machine = Machine.make(ready: true, isBlocking: true)
        #expect(machine.submit("a", deadline: 5) == "send")
        let expiry = machine.expire(now: .uptimeNanoseconds(5))
        #expect(expiry.failed.map(\.request) == ["a"])
        #expect(expiry.close == .blocked)

        machine = Machine.make(ready: true, isBlocking: true)
        #expect(machine.nextDeadline == .zero + .seconds(60))
        #expect(machine.submit("a", deadline: .max, now: 1_000_000_000) == "send")
        #expect(machine.expire(now: .zero + .seconds(100)).close == nil)
        #expect(machine.answer(1) == "a")
        #expect(machine.expire(now: .zero + .seconds(100)).close == .unused)
    }

    @Test func theEndIsForGood() {
        var machine = Machine.make(ready: true)
        #expect(machine.submit("a") == "send")
        machine.writabilityChanged(false)
        #expect(machine.submit("b", id: 2) == "wait")
        let outcomes = machine.close()
        #expect(outcomes.map(\.request) == ["a", "b"])
        #expect(outcomes.compactMap { $0.error?.code } == [.clientClosed, .clientClosed])
        #expect(outcomes.compactMap { $0.error?.mayHaveTakenEffect } == [true, false])
        #expect(machine.submit("c", id: 3) == "clientClosed")
        #expect(machine.disconnected(Self.closed, jitter: 0).reconnectAfter == nil)
        #expect(machine.stayConnected() == .none)
        #expect(machine.backoffElapsed() == .none)
        #expect(machine.connected(now: .zero) == nil)
    }
}

extension NIODeadline {
    fileprivate static var zero: NIODeadline { .uptimeNanoseconds(0) }
}

extension RESPFrame {
    fileprivate static var hello: RESPFrame { .reply(.map([.init(key: .string("proto"), value: .integer(3))])) }
}

extension RequestOutcome {
    fileprivate var error: RedisError? {
        if case .failure(let error) = results.first { error } else { nil }
    }
}

extension ConnectionStateMachine<String> {
    fileprivate static func make(ready: Bool = false, isBlocking: Bool = false) -> ConnectionStateMachine<String> {
        var machine = ConnectionStateMachine<String>(
            settings: .init(isBlocking: isBlocking, idleTimeout: isBlocking ? .seconds(60) : nil),
            handshake: Handshake(RedisConfiguration()))
        if ready { machine.becomeReady() }
        return machine
    }

    fileprivate mutating func becomeReady(connecting: Bool = true) {
        if connecting { #expect(submit("first", id: 0) == "connect") }
        #expect(connected(now: .zero) != nil)
        _ = receive(.hello)
        #expect(isReady == true)
        if connecting {
            #expect(takeSendable(now: .zero) == ["first"])
            #expect(answer(0) == "first")
        }
    }

    fileprivate mutating func submit(
        _ request: String,
        id: UInt64 = 1,
        deadline: UInt64 = 100_000_000_000,
        now: UInt64 = 0
    ) -> String {
        let pending = PendingRequest(
            id: id, request: request, commandCount: 1,
            deadline: deadline == .max ? .distantFuture : .uptimeNanoseconds(deadline))
        return switch submit(pending, now: .uptimeNanoseconds(now)) {
        case .send: "send"
        case .wait: "wait"
        case .connect: "connect"
        case .refuse(let error): "\(error.code)"
        }
    }

    /// Takes an answer and returns the request that it completes.
    fileprivate mutating func answer(_ number: Int) -> String? {
        guard case .complete(let outcome) = receive(.reply(.integer(number))) else { return nil }
        return outcome.request
    }
}
