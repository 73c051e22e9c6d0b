public import Foundation
import Synchronization

/// What a peer's benchmark is given.
public enum PeerArgument: Sendable, Encodable, ExpressibleByStringLiteral, ExpressibleByIntegerLiteral {
    case string(String)
    case integer(Int)

    public init(stringLiteral value: String) { self = .string(value) }
    public init(integerLiteral value: Int) { self = .integer(value) }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .string(let value): try container.encode(value)
        case .integer(let value): try container.encode(value)
        }
    }
}

/// A process that runs rounds when it is asked to, so that its rounds can alternate with ours and its start costs
/// nothing.
///
/// It reads a line of JSON for each round, `{"benchmark": "decode", "seconds": 0.3, "arguments": {…}}`, and answers with
/// a line, `{"work": 1200, "seconds": 0.301}` or `{"error": "…"}`. It ends when its input does.
public actor Peer {
    private struct Request: Encodable {
        let benchmark: String
        let seconds: Double
        let arguments: [String: PeerArgument]
    }

    private struct Answer: Decodable {
        var work: Double?
        var seconds: Double?
        var value: Double?
        var error: String?
    }

    private let name: String
    private let process = Process()
    private var isStarted = false
    private let input = Pipe()
    private let output = Pipe()
    /// Reading blocks, so it happens here.
    private let queue = DispatchQueue(label: "peer")

    /// A process that is started when it is first needed.
    ///
    /// - Throws: ``PeerError`` if there is no such program.
    public init(executable: URL, arguments: [String]) throws {
        guard FileManager.default.isExecutableFile(atPath: executable.path) else {
            throw PeerError(peer: executable.path, benchmark: "anything", reason: "there is no such program")
        }
        name = executable.lastPathComponent
        process.executableURL = executable
        process.arguments = arguments
        process.standardInput = input
        process.standardOutput = output
    }

    /// A script of `Benchmarks/Python` with the project's Python.
    public static func python(_ script: String) throws -> Peer {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appending(path: "../../..").standardized
        return try Peer(
            executable: root.appending(path: "Scripts/python"),
            arguments: [root.appending(path: "Benchmarks/Python/\(script)").path])
    }

    /// Runs one round there.
    ///
    /// - Throws: ``PeerError``.
    public func round(
        _ benchmark: String,
        seconds: Double,
        _ arguments: [String: PeerArgument] = [:]
    ) async throws -> Measurement {
        let answer = try await ask(Request(benchmark: benchmark, seconds: seconds, arguments: arguments))
        guard let work = answer.work, let seconds = answer.seconds else {
            throw PeerError(peer: name, benchmark: benchmark, reason: "it answered without work and seconds")
        }
        return Measurement(work: work, seconds: seconds)
    }

    /// A number that is found there in another way than by a round, for a ``Figure``: it answers `{"value": 12.5}`.
    ///
    /// - Throws: ``PeerError``.
    public func value(_ benchmark: String, _ arguments: [String: PeerArgument] = [:]) async throws -> Double {
        let answer = try await ask(Request(benchmark: benchmark, seconds: 0, arguments: arguments))
        guard let value = answer.value else {
            throw PeerError(peer: name, benchmark: benchmark, reason: "it answered without a value")
        }
        return value
    }

    private func ask(_ request: Request) async throws -> Answer {
        if !isStarted {
            try process.run()
            isStarted = true
        }
        var line = try JSONEncoder().encode(request)
        line.append(UInt8(ascii: "\n"))
        try input.fileHandleForWriting.write(contentsOf: line)
        let handle = output.fileHandleForReading
        let bytes = await withCheckedContinuation { continuation in
            queue.async { continuation.resume(returning: Self.readLine(handle)) }
        }
        guard let answer = try? JSONDecoder().decode(Answer.self, from: Data(bytes)) else {
            let reason = bytes.isEmpty ? "it ended" : "it answered '\(String(decoding: bytes, as: UTF8.self))'"
            throw PeerError(peer: name, benchmark: request.benchmark, reason: reason)
        }
        if let error = answer.error { throw PeerError(peer: name, benchmark: request.benchmark, reason: error) }
        return answer
    }

    /// Ends the process, if it was started.
    public func stop() async {
        guard isStarted else { return }
        try? input.fileHandleForWriting.close()
        await withCheckedContinuation { continuation in
            queue.async { [process] in
                process.waitUntilExit()
                continuation.resume()
            }
        }
    }

    private static func readLine(_ handle: FileHandle) -> [UInt8] {
        var line: [UInt8] = []
        var byte: UInt8 = 0
        // Answers are short, and the time for reading them is nobody's.
        while read(handle.fileDescriptor, &byte, 1) == 1, byte != UInt8(ascii: "\n") { line.append(byte) }
        return line
    }
}

/// A peer did not do its round.
public struct PeerError: Error, CustomStringConvertible {
    public let peer: String
    public let benchmark: String
    public let reason: String

    public var description: String { "\(peer) could not run '\(benchmark)': \(reason)" }
}
