import Foundation
import TestSupport
import Testing

@testable import Dramatiq

/// Values that are nested so deep that nobody could read them again.
@Suite(.timeLimit(.minutes(10))) struct NestingTests {
    private static let limit = JSONMessageEncoder.defaultMaxDepth

    /// Ways to put a value into another one.
    private static let wrappings: [@Sendable (JSONValue) -> JSONValue] = [
        { [$0] }, { ["k": $0] },
        { value in
            var array: JSONArray = [1]
            array.append(value)
            return .array(array)
        },
        { value in
            var object: JSONObject = ["a": 1, "k": 2]
            object["k"] = value
            return .object(object)
        },
    ]

    private static func nested(_ levels: Int, in value: JSONValue = 1, _ wrap: (JSONValue) -> JSONValue) -> JSONValue {
        (0..<levels).reduce(value) { value, _ in wrap(value) }
    }

    @Test(arguments: wrappings.indices)
    func aDeepValueIsBuiltWrittenComparedAndFreed(index: Int) async throws {
        try await onASmallStack {
            for levels in [127, 128, 129, 20_000] {
                let value = Self.nested(levels, Self.wrappings[index])
                let text = value.encoded()
                // It is known how deep it is at most; only what is worth it is counted.
                #expect(value.depth >= levels)
                #expect(JSONText.depth(of: text[...]) == levels)
                let parsed = try JSONValue(parsing: text, maxDepth: levels)
                #expect(parsed == value)
                #expect(parsed.depth >= min(levels, JSONNesting.shallow))
                #expect(Set([parsed, value, .null]).count == 2)
                #expect(value.description.utf8.count == text.count)
                #expect(throws: DecodeError.self) { try JSONValue(parsing: text, maxDepth: levels - 1) }
                // From the inside it is the same, one level at a time.
                var inner = value
                for _ in 0..<min(levels, 300) {
                    inner = inner.arrayValue?.elements.last ?? inner.objectValue?.members.last?.value ?? .null
                }
                #expect(inner.encoded() == Self.nested(levels - min(levels, 300), Self.wrappings[index]).encoded())
            }
        }
    }

    @Test func aValueThatIsChangedDeepInsideStaysWhole() throws {
        var value = Self.nested(3000) { [$0] }
        for _ in 0..<3 {
            guard case .array(var array) = value else { break }
            array.append("last")
            value = ["a": .array(array), "b": value]
            var object = try #require(value.objectValue)
            object["c"] = object["a"]
            object["b"] = nil
            value = [.object(object)]
        }
        #expect(try JSONValue(parsing: value.encoded()) == value)
        #expect(value.depth >= 3004 && value.depth <= 3010)
    }

    // MARK: Sending

    /// Places of a message in which a value can stand, with the level at which it does.
    private static let places: [(level: Int, put: @Sendable (JSONValue, inout Message) -> Void)] = [
        (2, { $1.args = [$0] }),
        (
            2,
            {
                $1.args = .init(); $1.args.append(1); $1.args.append($0)
            }
        ),
        (2, { $1.kwargs["k"] = $0 }),
        (2, { $1.options["x"] = $0 }),
        (
            4,
            { value, message in
                message = message.piped(into: Message(queueName: "q", actorName: "b", args: [value]))
            }
        ),
        (3, { $1.args = [["k": $0]] }),
    ]

    @Test(arguments: places.indices, [InMemoryTransport.Fidelity.values, .bytes])
    func whatNoReaderTakesIsRefused(place: Int, fidelity: InMemoryTransport.Fidelity) async throws {
        let (level, put) = Self.places[place]
        let transport = InMemoryTransport(fidelity: fidelity)
        let broker = Broker(transport: transport)
        for (levels, isSent) in [(Self.limit - level, true), (Self.limit - level + 1, false), (20_000, false)] {
            var message = Message(queueName: "q", actorName: "a")
            put(Self.nested(levels) { [$0] }, &message)
            guard isSent else {
                let error = await #expect(throws: EncodeError.self) { try await broker.enqueue(message) }
                let depth = levels + level
                #expect(
                    error == .tooDeep(messageID: message.messageID, depth: depth, limit: Self.limit),
                    "\(place) \(levels)")
                continue
            }
            try await broker.enqueue(message)
            #expect(try JSONMessageEncoder().decode(JSONMessageEncoder().encode(message)) == message)
        }
        #expect(transport.unfinishedCount(queues: ["q"]) == 1)
    }

    @Test func anEncoderWritesNothingThatItWouldNotRead() throws {
        for limit in [3, 4, 10, 100, 1000, 1025, 2000] {
            let encoder = JSONMessageEncoder(maxDepth: limit)
            for levels in [limit - 3, limit - 2, limit - 1] where levels > 0 {
                let value = Self.nested(levels) { [$0] }
                // As lists, as text, and as text that came with a message.
                let parsed = try JSONValue(parsing: value.encoded())
                let sender = Message(queueName: "q", actorName: "a", args: [value])
                let received = try JSONMessageEncoder().decode(JSONMessageEncoder().encode(sender))
                for message in [sender, Message(queueName: "q", actorName: "a", args: [parsed]), received] {
                    if levels + 2 <= limit {
                        #expect(throws: Never.self) { try encoder.decode(encoder.encode(message)) }
                    } else {
                        #expect(throws: EncodeError.self) { try encoder.encode(message) }
                    }
                }
            }
        }
    }

    /// A message at the limit is run, and what is told of it by another message is refused with a reason.
    @Test func aMessageAtTheLimitIsProcessed() async throws {
        let transport = InMemoryTransport(fidelity: .bytes)
        let log = RecordingLog()
        let broker = Broker(transport: transport, logger: log.logger)
        let depths = Recorder<Int>()
        let actor = TaskActor("a") { (value: JSONValue) in _ = depths.add(value.depth) }
        let told = TaskActor("told") { (_: JSONValue, _: JSONValue) in }
        try await broker.declare(actor, told)
        let deep = Self.nested(Self.limit - 2) { [$0] }
        try await actor.send(deep, to: broker)
        try await broker.enqueue(actor.messageWithOptions(deep, options: [:]).copy(options: ["on_success": "told"]))
        let worker = Worker(
            broker, transitionRetries: TransitionRetryPolicy(attempts: 2, minBackoff: .milliseconds(1)))
        try await withWorker(worker) { try await transport.join() }
        #expect(depths.values == [Self.limit - 2, Self.limit - 2])
        #expect(transport.deadLetters().count == 1)
        #expect(transport.deadLetters().first?.reason.contains("levels deep") == true)
    }

    // MARK: Codable

    /// Holds itself, in a way of its own for each level.
    private final class Box: Codable, Sendable {
        enum Style: Sendable, CaseIterable { case member, element, nested, wrapper }
        enum Key: CodingKey { case next }

        let levels: Int
        let style: Style

        init(_ levels: Int, _ style: Style) {
            self.levels = levels
            self.style = style
        }

        init(from decoder: any Decoder) throws {
            levels =
                try decoder.container(keyedBy: Key.self).decodeIfPresent(Box.self, forKey: .next).map { $0.levels + 1 }
                ?? 1
            style = .member
        }

        func encode(to encoder: any Encoder) throws {
            let inner = levels > 1 ? Box(levels - 1, style) : nil
            switch style {
            case .member:
                var container = encoder.container(keyedBy: Key.self)
                try container.encodeIfPresent(inner, forKey: .next)
            case .element:
                var container = encoder.unkeyedContainer()
                if let inner { try container.encode(inner) }
            case .nested:
                var container = encoder.unkeyedContainer()
                for _ in 1..<levels { container = container.nestedUnkeyedContainer() }
            case .wrapper:
                var container = encoder.singleValueContainer()
                if let inner { try container.encode(inner) } else { try container.encode(1) }
            }
        }
    }

    @Test(arguments: Box.Style.allCases)
    private func argumentsThatNoActorWouldReadAreRefused(style: Box.Style) async throws {
        let actor = TaskActor("a") { (_: Box) in }
        let broker = Broker(transport: InMemoryTransport())
        let limit = ValueDecoder.maxDepth
        for levels in [limit + 1 + (style == .wrapper ? 1 : 0), 20_000] {
            let message = actor.message(Box(levels, style))
            let error = await #expect(throws: ArgumentFailure.self) { try await broker.enqueue(message) }
            #expect(error?.description.contains("deeper than 512 levels") == true)
        }
        let message = actor.message(Box(limit, style))
        #expect(message.argumentFailure == nil)
        try await broker.enqueue(message)
        guard style == .member else { return }
        let levels = try ArgumentCoding.decode(Box.self, from: message.args.storage.text ?? []).levels
        #expect(levels == limit)
    }

    @Test func anotherCoderIsTold() {
        let value = Self.nested(20_000) { [$0] }
        #expect(throws: EncodingError.self) { try JSONEncoder().encode(value) }
    }
}
