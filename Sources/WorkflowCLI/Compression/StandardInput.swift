import Foundation

/// Standard input as a whole. Blocks.
enum StandardInput {
    /// - Parameter limit: the most bytes to take.
    /// - Throws: ``StandardInputError``, `CancellationError`.
    static func read(limit: Int, _ cancellation: CancellationFlag) throws -> [UInt8] {
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: FileContent.chunkSize)
        while true {
            try cancellation.check()
            let count = Foundation.read(STDIN_FILENO, &chunk, chunk.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw StandardInputError.system(errno) }
            if count == 0 { return bytes }
            bytes += chunk[..<count]
            guard bytes.count <= limit else { throw StandardInputError.tooLarge(limit: limit) }
        }
    }
}

/// Why standard input can't be had.
enum StandardInputError: Error, CustomStringConvertible {
    /// What the system says (`errno`).
    case system(Int32)
    case tooLarge(limit: Int)

    var description: String {
        switch self {
        case .system(let code): "Can't read standard input: \(String(cString: strerror(code)))"
        case .tooLarge(let limit): "Standard input has more than the limit of \(limit) bytes"
        }
    }
}
