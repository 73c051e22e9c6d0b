import DramatiqWorkflow
import TestSupport
import Testing

@testable import Dramatiq

/// Texts from the wire are bytes: whatever stands in whichever field, work is linear in it, and what looks alike is not the
/// same.
@Suite struct HostileTextTests {
    @Test func allCasesAreThere() {
        #expect(HostileText.all.count >= 19)
        #expect(HostilePlace.all.count >= 45)
        #expect(!HostileText.marks.text(bytes: 8).isEmpty)
    }

    // MARK: Counted work

    /// What the core and workflows do with a message that needs no waiting.
    private func use(_ bytes: [UInt8], _ broker: Broker) throws {
        let message: Message
        do {
            message = try JSONMessageEncoder().decode(bytes)
        } catch {
            #expect(error.reason.utf8.count < 512)
            return
        }
        let again = try JSONMessageEncoder().decode(bytes)
        var other = again
        other.options["note"] = "other"
        #expect(message == again)
        #expect(message.hashValue == again.hashValue)
        _ = message == other
        _ = message.untied(from: other)
        _ = message.requeued()
        _ = try? JSONMessageEncoder().encode(message.withFreshID())
        _ = message.options["workflow_completion_callbacks"]
        _ = broker.actor(named: message.actorName)
        for member in message.options.object.members {
            _ = ActorAddress(member.value)
            _ = member.value == other.options.value(member.key)
            _ = member.value.hashValue
            use(callbacks: member.value)
        }
        for argument in message.args.elements + message.kwargs.members.map(\.value) {
            _ = try? ValueDecoder(argument).decode([String: JSONValue].self)
            _ = try? ValueDecoder(argument).decode([Int].self)
        }
    }

    private func use(callbacks value: JSONValue) {
        _ = try? StorageReference(reading: value)
        guard let callbacks = try? CallbackFormat.read(value) else { return }
        var barriers: Set<BarrierKey> = []
        for callback in callbacks {
            let key = BarrierKey(
                key: callback.completionID, releaseKey: callback.completionID + "_ran", ttl: .seconds(9))
            barriers.insert(key)
            barriers.insert(key)
            if let remaining = callback.remaining?.value { _ = try? WorkflowNode(remaining) }
        }
    }

    @Test(arguments: HostilePlace.all)
    func workIsLinearInEachText(_ place: HostilePlace) throws {
        let broker = Broker(transport: InMemoryTransport())
        for text in HostileText.all where text.isCostly {
            let size = 4 << 10
            let (small, large) = (place.message(text.text(bytes: size)), place.message(text.text(bytes: 8 * size)))
            // Eight times the bytes: as much work as eight times over, or eight times that if it were the square. What takes
            // less than four milliseconds can't be compared. Both are measured beside each other, and what seems to take
            // long is looked at again: to a guest, the time for which its host lets others run counts as its own.
            var (eight, one) = (1, Int.max)
            for _ in 0..<10 where one >= 3 * eight {
                eight = max(4_000_000, try processorTime { for _ in 0..<8 { try use(small, broker) } })
                one = try processorTime { try use(large, broker) }
            }
            #expect(
                one < 3 * eight, "\(text): \(eight) ns for 8 × \(small.count) bytes, \(one) ns for \(large.count)")
        }
    }

    // MARK: A worker

    /// Runs a worker over a hostile message amid good ones.
    private func run(
        _ hostile: [[UInt8]], taking argument: (some Codable & Sendable).Type, good: Int = 100
    ) async throws -> Stage {
        let stage = try await Stage()
        try await stage.broker.declare(Self.noop(argument))
        try await stage.broker.enqueue((0..<good / 2).map { stage.task.message("good \($0)") })
        for bytes in hostile {
            let producer = Broker(transport: stage.transport, encoder: Verbatim(bytes: bytes))
            try await producer.enqueue(Message(queueName: "default", actorName: "noop"))
        }
        try await stage.broker.enqueue((good / 2..<good).map { stage.task.message("good \($0)") })
        // Not all queues: some of what is hostile is for one that nobody serves.
        try await withWorker(stage.worker) { try await stage.transport.join(timeout: .patience) }
        #expect(stage.ran.values.filter { $0.hasPrefix("good") }.count == good)
        return stage
    }

    private static func noop<Argument: Codable & Sendable>(_: Argument.Type) -> some AnyTaskActor {
        TaskActor("noop", options: [.maxRetries(0)], parameters: ["name"]) { (_: Argument) in }
    }

    /// Writes these bytes, whatever the message is.
    private struct Verbatim: MessageEncoder {
        let bytes: [UInt8]
        func encode(_ message: Message) throws -> [UInt8] { bytes }
        func decode(_ bytes: [UInt8]) throws -> Message { try JSONMessageEncoder().decode(bytes) }
    }

    /// Two megabytes of marks take a normalization hours.
    @Test(arguments: HostilePlace.all)
    func goodMessagesAreDoneBesideAHostileOne(_ place: HostilePlace) async throws {
        let hostile = place.message(HostileText.marks.text(bytes: 2 << 20))
        _ = try await run([hostile], taking: JSONValue.self)
        guard place.name.hasPrefix("argument") || place.name.hasPrefix("keyword") else { return }
        _ = try await run([hostile], taking: [String: JSONValue].self)
    }

    @Test(arguments: HostileText.all)
    func everyTextInEveryPlaceIsProcessedOrADeadLetterWithAReason(_ text: HostileText) async throws {
        for size in [8, 900, 4096] {
            let hostile = HostilePlace.all.map { $0.message(text.text(bytes: size)) }
            let stage = try await run(hostile, taking: JSONValue.self, good: 10)
            for letter in stage.transport.deadLetters() { #expect(!letter.reason.isEmpty) }
        }
    }

    // MARK: What looks alike

    /// One name in two spellings, which Swift takes for the same.
    private static let composed = "caf\u{E9}"
    private static let decomposed = "cafe\u{301}"

    @Test func spellingsAreDifferentOptionsAndArgumentsAndStayInTheirPlace() throws {
        #expect(Self.composed == Self.decomposed, "as Swift sees it")
        var object: JSONObject = [Self.composed: 1, Self.decomposed: 2]
        #expect(object.members.map(\.value) == [1, 2])
        #expect(object[Self.composed] == 1)
        #expect(object[Self.decomposed] == 2)
        object[Self.decomposed] = nil
        #expect(object[Self.composed] == 1)
        let text = #"{"\#(Self.composed)":1,"\#(Self.decomposed)":2}"#
        let parsed = try JSONValue(parsing: text)
        #expect(try JSONValue(parsing: text).description == text)
        #expect(parsed.objectValue?.members.count == 2)
        #expect(parsed.objectValue?[Self.decomposed] == 2)
        // A dictionary of Swift can't hold both, but a decoder is asked for either.
        struct Spellings: Decodable {
            let composed: Int
            let decomposed: Int

            struct Key: CodingKey {
                let stringValue: String
                var intValue: Int? { nil }
                init(stringValue: String) { self.stringValue = stringValue }
                init?(intValue: Int) { nil }
            }

            init(from decoder: any Decoder) throws {
                let container = try decoder.container(keyedBy: Key.self)
                composed = try container.decode(Int.self, forKey: Key(stringValue: HostileTextTests.composed))
                decomposed = try container.decode(Int.self, forKey: Key(stringValue: HostileTextTests.decomposed))
            }
        }
        let spellings = try ValueDecoder(parsed).decode(Spellings.self)
        #expect(spellings.composed == 1)
        #expect(spellings.decomposed == 2)
        let many = JSONObject(
            (0..<40).map { ("key \($0)", .integer($0)) } + [(Self.composed, 1), (Self.decomposed, 2)])
        #expect(many.members.count == 42)
        #expect(try JSONValue(parsing: many.description).objectValue?[Self.decomposed] == 2)
    }

    @Test func spellingsAreDifferentMessagesActorsAndAddresses() async throws {
        let first = Message(queueName: "default", actorName: Self.composed, messageID: "id")
        let second = Message(
            queueName: "default", actorName: Self.decomposed, messageID: "id", messageTimestamp: first.messageTimestamp)
        #expect(first != second)
        #expect(ActorAddress(Self.composed) != ActorAddress(Self.decomposed))
        #expect(ActorAddress("a", queue: Self.composed) != ActorAddress("a", queue: Self.decomposed))
        #expect(BarrierKey(key: Self.composed, ttl: .seconds(1)) != BarrierKey(key: Self.decomposed, ttl: .seconds(1)))
        let stage = try await Stage()
        let ran = stage.ran
        try await stage.broker.declare(
            TaskActor(Self.composed) { _ = ran.add("composed") },
            TaskActor(Self.decomposed) { _ = ran.add("decomposed") })
        try await stage.broker.enqueue([first, second])
        try await stage.work()
        #expect(ran.values.sorted() == ["composed", "decomposed"])
    }

    @Test func spellingsAreDifferentBarriersAndParties() async throws {
        let backend = InMemoryRateLimiterBackend()
        #expect(try await backend.add(Self.composed, value: 1, ttl: .seconds(60)))
        #expect(try await backend.add(Self.decomposed, value: 2, ttl: .seconds(60)))
        #expect(backend.value(forKey: Self.composed) == 1)
        #expect(backend.value(forKey: Self.decomposed) == 2)
        let barrier = BarrierKey(key: "barrier", releaseKey: "barrier_ran", ttl: .seconds(60))
        func arrive(_ party: String) async throws -> StateCommit.Result {
            try await backend.apply(
                StateCommit(
                    store: backend,
                    arrival: StateCommit.Arrival(barrier: barrier, party: party, releases: false)))
        }
        _ = try await backend.apply(
            StateCommit(store: backend, creations: [StateCommit.Creation(barrier: barrier, parties: 2)]))
        #expect(try await arrive(Self.composed) == .committed)
        #expect(try await arrive(Self.composed) == .committed)
        #expect(try await arrive(Self.decomposed) == .opened)
    }

    @Test func membersOfAGroupWhoseIdsLookAlikeArriveEach() async throws {
        let stage = try await Stage()
        var (a, b) = (stage.task.message("a"), stage.task.message("b"))
        a.messageID = Self.composed
        b.messageID = Self.decomposed
        try await stage.run(Chain(Group(a, b), stage.task.message("c")))
        #expect(stage.ran.values.suffix(1) == ["c"])
        #expect(stage.ran.count == 3)
    }

    // MARK: Lengths

    @Test func aNameThatIsTooLongSaysWhichAndWhere() async throws {
        let long = String(repeating: "n", count: Message.maxNameSize + 1)
        let stage = try await Stage()
        let tooLong: [Message] = [
            Message(queueName: "default", actorName: long),
            Message(queueName: "default", actorName: "a", messageID: long),
            Message(queueName: "default", actorName: "a", kwargs: [long: 1]),
            Message(queueName: "default", actorName: "a", options: [long: 1]),
        ]
        for message in tooLong {
            let error = try #require(throws: EncodeError.self) { try JSONMessageEncoder().encode(message) }
            #expect(error.code == .tooLong)
            #expect(error.size == Message.maxNameSize + 1)
            await #expect(throws: EncodeError.self) { try await stage.broker.enqueue(message) }
        }
        let options = JSONObject((0...Message.maxOptionCount).map { ("option \($0)", 1) })
        let error = try #require(throws: EncodeError.self) {
            try JSONMessageEncoder().encode(
                Message(queueName: "default", actorName: "a", options: MessageOptions(options)))
        }
        #expect(error.code == .tooManyOptions)
        for place in ["queue_name", "actor_name", "message_id", "option", "keyword"] {
            let place = try #require(HostilePlace.all.first { $0.name == place })
            let error = try #require(throws: DecodeError.self) {
                _ = try JSONMessageEncoder().decode(place.message(long))
            }
            #expect(error.code == .tooLong)
            #expect(error.offset > 0)
            #expect(error.reason.contains("1025 bytes"))
            // An escape is longer than what it stands for.
            let escaped = String(repeating: "\u{E9}", count: Message.maxNameSize / 2)
            #expect(throws: Never.self) { try JSONMessageEncoder().decode(place.message(escaped)) }
        }
    }
}
