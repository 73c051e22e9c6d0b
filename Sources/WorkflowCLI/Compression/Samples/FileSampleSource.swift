import Dramatiq
import DramatiqWorkflow

/// Samples from files, and from all files below directories.
///
/// A file holds a workflow's definition, a transcript with one (as in `Fixtures/workflows/wire`), an encoded message, or
/// an encoded message on each line.
struct FileSampleSource: SampleSource {
    let paths: [FilePath]
    /// Reads messages, compressed ones as well.
    let decoder: any MessageEncoder

    /// - Throws: ``SampleError``, ``FileError``, `CancellationError`.
    func samples() async throws -> [Sample] {
        let files = try await BlockingWork.run { [paths] cancellation in
            try paths.flatMap { path in try Self.read(path, cancellation) }
        }
        guard !files.isEmpty else { throw SampleError.noFiles }
        return try files.map { file in
            do {
                return Sample(name: file.name, content: try Self.content(file.bytes, decoder))
            } catch {
                throw SampleError.notASample(name: file.name, reason: "\(error)")
            }
        }
    }

    private struct File: Sendable {
        let name: String
        let bytes: [UInt8]
    }

    private static func read(_ path: FilePath, _ cancellation: CancellationFlag) throws -> [File] {
        guard FileKind(try path.status()) == .directory else {
            return [File(name: name(path.name), bytes: try FileContent.all(of: path, cancellation))]
        }
        let tree = try FileTree(of: path, cancellation)
        if let skipped = tree.skipped.first {
            throw FileError(operation: "read", path: path.appending(skipped.path), reason: skipped.reason)
        }
        return try tree.files.map { file in
            File(name: name(file.path), bytes: try FileContent.all(of: path.appending(file.path), cancellation))
        }
    }

    /// A path without the ending that says what it is.
    private static func name(_ path: FilePath) -> String {
        let name = path.description
        return [".json", ".jsonl", ".lz4", ".zlib"].first(where: name.hasSuffix).map { String(name.dropLast($0.count)) }
            ?? name
    }

    private static func content(_ bytes: [UInt8], _ decoder: any MessageEncoder) throws -> Sample.Content {
        let isJSON = bytes.first { $0 > UInt8(ascii: " ") } == UInt8(ascii: "{")
        guard isJSON, let object = try? JSONValue(parsing: bytes).objectValue else {
            return .messages(try messages(bytes, decoder))
        }
        if object["__type__"] != nil { return .workflow(try WorkflowNode(.object(object))) }
        if let definition = object["definition"] { return .workflow(try WorkflowNode(definition)) }
        return .messages([try Message(object)])
    }

    private static func messages(_ bytes: [UInt8], _ decoder: any MessageEncoder) throws -> [Message] {
        // Compressed bytes may hold line breaks.
        do {
            return [try decoder.decode(bytes)]
        } catch {
            let lines = bytes.split(separator: UInt8(ascii: "\n"))
            guard lines.count > 1, bytes.first == UInt8(ascii: "{") else { throw error }
            return try lines.map { try decoder.decode(Array($0)) }
        }
    }
}

/// Why there are no samples.
enum SampleError: Error, CustomStringConvertible {
    case noFiles
    case noMessages
    case notASample(name: String, reason: String)

    var description: String {
        switch self {
        case .noFiles: "There are no files to read"
        case .noMessages: "There are no messages in the queues"
        case .notASample(let name, let reason):
            "'\(name)' is neither a workflow's definition nor messages: \(PrintableText.escape(reason))"
        }
    }
}
