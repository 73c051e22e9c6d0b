import Dramatiq
import DramatiqLZ4
import DramatiqZlib
import TestSupport
import Testing

@Suite struct RollingSwitchTests {
    /// Every stage of a fleet on its way from JSON to LZ4 to zlib.
    private static let stages: [any MessageEncoder] = [
        MultiFormatMessageEncoder(writing: JSONMessageEncoder(), reading: LZ4MessageEncoder(), ZlibMessageEncoder()),
        MultiFormatMessageEncoder(writing: LZ4MessageEncoder(), reading: ZlibMessageEncoder()),
        MultiFormatMessageEncoder(writing: ZlibMessageEncoder(), reading: LZ4MessageEncoder()),
    ]

    @Test func everyStageReadsEveryOther() throws {
        var beginnings: Set<UInt8> = []
        for writer in Self.stages {
            for tasksLeft in [0, 1, 100] {
                let message = Samples.message(tasksLeft: tasksLeft)
                let encoded = try writer.encode(message)
                beginnings.insert(encoded[0])
                for reader in Self.stages { #expect(try reader.decode(encoded) == message) }
            }
        }
        #expect(beginnings == [UInt8(ascii: "{"), 0x04, 0x78], "each stage wrote its own format")
    }

    /// A worker of each stage, and messages from producers of each stage, in one queue.
    @Test func aMixedFleetRunsEveryMessage() async throws {
        let ran = Recorder<String>()
        let log = RecordingLog()
        let task = TaskActor("task") { (name: String, _: String) in _ = ran.add(name) }
        let transport = InMemoryTransport(fidelity: .bytes)
        let fleet = Self.stages.map { Broker(transport: transport, encoder: $0, logger: log.logger) }
        for broker in fleet { try await broker.declare(task) }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for broker in fleet { group.addTask { try await Worker(broker, concurrency: 2).run() } }
            for (producer, broker) in fleet.enumerated() {
                for number in 0..<50 {
                    let text = String(repeating: "summer ", count: number * 20)
                    try await task.send("\(producer).\(number)", text, to: broker)
                }
            }
            try await transport.joinAll()
            group.cancelAll()
            try await group.waitForAll()
        }
        #expect(Set(ran.values).count == 150)
        #expect(transport.deadLetters(queue: "default").isEmpty)
        #expect(log.complaints.isEmpty)
    }

    @Test(arguments: Format.allCases)
    func plainJSONIsNeverClaimed(format: Format) throws {
        let compressor = format.compressor()
        for name in Samples.messageNames {
            let plain = try Fixtures.bytes("messages/\(name)")
            #expect(!compressor.recognizes(plain))
            for space in [" ", "\t", "\n", "\r", "{"] { #expect(!compressor.recognizes(Array(space.utf8))) }
        }
        #expect(!compressor.recognizes([]))
        #expect(format.encoder().recognizes(try compressor.compress([1, 2, 3])))
    }

    @Test func noFormatClaimsTheOther() throws {
        for format in Format.allCases {
            for other in Format.allCases where other != format {
                let compressed = try other.compressor().compress(Samples.text(1000, seed: 6))
                #expect(!format.compressor().recognizes(compressed))
                #expect(throws: DecodeError.self, "an encoder reads its own format and JSON") {
                    try format.encoder().decode(compressed)
                }
            }
        }
    }
}
