import DramatiqRedis
import NIOCore
import TestSupport
import Testing

@Suite struct ReplyQueueTests {
    private static let start = NIODeadline.uptimeNanoseconds(0)
    private static let timeout = RedisError(.commandTimeout, "late")

    @Test func answersGoToTheOldestRequestThatMissesOne() {
        var queue = ReplyQueue<String>()
        queue.add(1, "a", count: 2)
        queue.add(2, "b", count: 1)
        #expect(queue.missingCount == 3)
        #expect(queue.receive(1) == nil)
        #expect(queue.receive(2) == .init("a", [1, 2]))
        #expect(queue.receive(3) == .init("b", [3]))
        #expect(queue.missingCount == 0)
        #expect(queue.isEmpty == true)
        guard case .unasked = queue.receive(.success(.integer(4))) else {
            Issue.record("an answer that nobody asked for was taken")
            return
        }
    }

    @Test func aDiscardedRequestKeepsItsPlace() {
        var queue = ReplyQueue<String>()
        queue.add(1, "a", count: 1)
        queue.add(5, "b", count: 2)
        queue.add(9, "c", count: 1)
        #expect(queue.discard(id: 5) == true)
        #expect(queue.discard(id: 6) == false)
        #expect(queue.receive(1) == .init("a", [1]))
        #expect(queue.receive(2) == nil)
        #expect(queue.receive(3) == nil)
        #expect(queue.receive(4) == .init("c", [4]))
    }

    @Test func aRequestDiscardedBetweenItsAnswersShiftsNone() {
        var queue = ReplyQueue<String>()
        queue.add(1, "a", count: 3)
        queue.add(2, "b", count: 1)
        #expect(queue.receive(1) == nil)
        #expect(queue.discard(id: 1) == true)
        #expect(queue.receive(2) == nil)
        #expect(queue.receive(3) == nil)
        #expect(queue.receive(4) == .init("b", [4]))
    }

    @Test func whatIsLateFailsOnceAndKeepsItsPlace() {
        var queue = ReplyQueue<String>()
        queue.add(1, "a", count: 2, deadline: 10)
        queue.add(2, "b", count: 1, deadline: 10)
        queue.add(3, "c", count: 1, deadline: 20)
        #expect(queue.receive(1) == nil)
        #expect(queue.discard(id: 2) == true)
        #expect(queue.nextDeadline == .uptimeNanoseconds(10))
        #expect(queue.expire(now: .uptimeNanoseconds(9), Self.timeout).isEmpty == true)
        let expired = queue.expire(now: .uptimeNanoseconds(10), Self.timeout)
        #expect(expired.map(\.request) == ["a"])
        // The answer that came in time is kept.
        #expect(expired.first?.results == [.success(.integer(1)), .failure(Self.timeout)])
        #expect(queue.expire(now: .uptimeNanoseconds(11), Self.timeout).isEmpty == true)
        #expect(queue.nextDeadline == .uptimeNanoseconds(20))
        #expect(queue.receive(2) == nil)
        #expect(queue.receive(3) == nil)
        #expect(queue.receive(4) == .init("c", [4]))
        #expect(queue.nextDeadline == nil)
    }

    @Test func theEndFailsWhatIsMissing() {
        var queue = ReplyQueue<String>()
        queue.add(1, "a", count: 2)
        queue.add(2, "b", count: 1)
        queue.add(3, "c", count: 1)
        #expect(queue.discard(id: 2) == true)
        #expect(queue.receive(1) == nil)
        let error = RedisError(.connectionClosed, "gone", mayHaveTakenEffect: true)
        let outcomes = queue.removeAll(error)
        #expect(outcomes.map(\.request) == ["a", "c"])
        #expect(outcomes.map(\.results) == [[.success(.integer(1)), .failure(error)], [.failure(error)]])
        #expect((queue.isEmpty, queue.missingCount, queue.nextDeadline) == (true, 0, nil))
    }

    /// Every answer reaches its request whatever is cancelled and expires: checked against a plain list.
    @Test(arguments: TestSeed.first(50)) func randomEventsNeverShiftAnAnswer(seed: TestSeed) {
        var random = seed.generator
        var queue = ReplyQueue<Int>()
        var model: [(id: UInt64, missing: Int, isWaited: Bool, deadline: UInt64)] = []
        var (nextID, now): (UInt64, UInt64) = (1, 0)
        for _ in 0..<2000 {
            switch Int.random(in: 0..<10, using: &random) {
            case 0..<3:
                let count = Int.random(in: 1...4, using: &random)
                queue.append(
                    PendingRequest(
                        id: nextID, request: Int(nextID), commandCount: count, deadline: .uptimeNanoseconds(now + 50)),
                    now: .uptimeNanoseconds(now))
                model.append((nextID, count, true, now + 50))
                nextID += UInt64.random(in: 1...3, using: &random)
            case 3:
                let id = UInt64.random(in: 0...nextID, using: &random)
                let index = model.firstIndex { $0.id == id }
                #expect(queue.discard(id: id) == (index != nil))
                if let index { model[index].isWaited = false }
            case 4:
                now += .random(in: 0..<20, using: &random)
                let expected = model.indices.filter { model[$0].deadline <= now && model[$0].isWaited }
                let outcomes = queue.expire(now: .uptimeNanoseconds(now), Self.timeout)
                #expect(outcomes.map(\.request) == expected.map { Int(model[$0].id) })
                for index in expected { model[index].isWaited = false }
            default:
                guard !model.isEmpty else { continue }
                // The answer says which request it is for.
                let answer = queue.receive(Int(model[0].id))
                model[0].missing -= 1
                guard model[0].missing == 0 else {
                    #expect(answer == nil)
                    continue
                }
                let first = model.removeFirst()
                #expect(answer?.request == (first.isWaited ? Int(first.id) : nil))
                #expect(answer?.answers.allSatisfy { $0 == Int(first.id) } ?? true)
            }
            #expect(queue.missingCount == model.reduce(0) { $0 + $1.missing })
        }
    }
}

/// A request with the numbers that answered it.
private struct Answered<Request: Equatable>: Equatable {
    let request: Request
    let answers: [Int]

    init(_ request: Request, _ answers: [Int]) {
        self.request = request
        self.answers = answers
    }
}

extension ReplyQueue where Request: Equatable {
    fileprivate mutating func add(_ id: UInt64, _ request: Request, count: Int, deadline: UInt64 = 1000) {
        append(
            PendingRequest(id: id, request: request, commandCount: count, deadline: .uptimeNanoseconds(deadline)),
            now: .uptimeNanoseconds(0))
    }

    fileprivate mutating func receive(_ number: Int) -> Answered<Request>? {
        guard case .completed(let outcome) = receive(.success(.integer(number))) else { return nil }
        return Answered(outcome.request, outcome.results.compactMap { try? $0.get().integer() })
    }
}
