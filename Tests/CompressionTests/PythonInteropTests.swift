import Dramatiq
import DramatiqLZ4
import DramatiqWorkflow
import DramatiqZlib
import Foundation
import TestSupport
import Testing

/// Hands messages to Python's `lz4` and `zlib` and back (`Python/peer.py`).
///
/// They are all of `Fixtures/messages`, and of each workflow in `Fixtures/workflows/corpus` those that are sent first,
/// which carry the most.
@Suite struct PythonInteropTests {
    private static let root = URL(filePath: #filePath).appending(path: "../../..").standardized
    private static let messagesPerWorkflow = 40
    private static let bytesPerWorkflow = 2_000_000

    private struct Enough: Error {}

    private func plainMessages() async throws -> [String: [UInt8]] {
        var plain: [String: [UInt8]] = [:]
        for name in Samples.messageNames {
            plain["message-\(name.dropLast(5))"] = try Fixtures.bytes("messages/\(name)")
        }
        for name in try Fixtures.names(in: "workflows/corpus") {
            let workflow = try WorkflowNode(try Fixtures.json("workflows/corpus/\(name)"))
            var count = 0
            var size = 0
            do {
                try await WorkflowRehearsal().run(workflow) { message in
                    let bytes = try JSONMessageEncoder().encode(message)
                    plain["\(name.dropLast(5))-\(count)"] = bytes
                    count += 1
                    size += bytes.count
                    if count == Self.messagesPerWorkflow || size > Self.bytesPerWorkflow { throw Enough() }
                }
            } catch is Enough {}
            #expect(count > 0, "\(name) sends nothing")
        }
        return plain
    }

    @Test func pythonReadsWhatWeWriteAndWeReadWhatPythonWrites() async throws {
        let plain = try await plainMessages()
        let dictionary = try CompressionDictionary(try Fixtures.bytes("messages/options-all.json"))
        let writers: [(String, any Compressor)] = [
            ("lz4", LZ4Compressor()), ("zlib", ZlibCompressor()),
            ("dictionary.lz4", LZ4Compressor(dictionary: dictionary)),
            ("dictionary.zlib", ZlibCompressor(dictionary: dictionary)),
        ]
        let folder = FileManager.default.temporaryDirectory.appending(path: "compression-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }
        for name in ["plain", "swift"] {
            try FileManager.default.createDirectory(
                at: folder.appending(path: name), withIntermediateDirectories: true)
        }
        try Data(dictionary.file).write(to: folder.appending(path: "dictionary"))
        for (name, bytes) in plain {
            try Data(bytes).write(to: folder.appending(path: "plain/\(name).json"))
            for (format, compressor) in writers {
                try Data(try compressor.compress(bytes)).write(to: folder.appending(path: "swift/\(name).\(format)"))
            }
        }

        let answer = try run(
            Self.root.appending(path: "Scripts/python"),
            [
                Self.root.appending(path: "Tests/CompressionTests/Python/peer.py").path, folder.path,
            ])
        let counts = answer.split(whereSeparator: \.isWhitespace).compactMap { Int($0) }
        #expect(counts.first == plain.count, "messages that Python has read")

        let reader = MultiFormatMessageEncoder(
            writing: JSONMessageEncoder(),
            reading: LZ4MessageEncoder(dictionary: dictionary), ZlibMessageEncoder(dictionary: dictionary))
        let files = try FileManager.default.contentsOfDirectory(atPath: folder.appending(path: "python").path)
        #expect(files.count == counts.last)
        #expect(files.count >= plain.count * 5)
        for file in files {
            let bytes = [UInt8](try Data(contentsOf: folder.appending(path: "python/\(file)")))
            let message = try reader.decode(bytes)
            let name = String(file.prefix { $0 != "." })
            #expect(try JSONMessageEncoder().encode(message) == plain[name], "\(file)")
        }
    }

    private func run(_ executable: URL, _ arguments: [String]) throws -> String {
        let process = Process()
        let output = Pipe()
        process.executableURL = executable
        process.arguments = arguments
        process.standardOutput = output
        try process.run()
        let answer = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        #expect(process.terminationStatus == 0, "see standard error for what Python found")
        return String(decoding: answer, as: UTF8.self)
    }
}
