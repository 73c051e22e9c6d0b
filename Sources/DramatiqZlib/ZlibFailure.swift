internal import CZlib
internal import Dramatiq

/// What can be wrong, in words.
enum ZlibFailure {
    static let format = "zlib"

    static var noMemoryToCompress: CompressionError {
        CompressionError(format: format, reason: "there is no memory for it")
    }

    static var noMemoryToDecompress: DecodeError {
        DecodeError(.tooLarge, "There is no memory to read the zlib stream", offset: 0)
    }

    static func notCompressed(_ code: Int32) -> CompressionError {
        CompressionError(format: format, reason: String(cString: zError(code)))
    }

    static func corrupt(_ reason: String, offset: Int) -> DecodeError {
        DecodeError(.corrupt, "The zlib stream is damaged: \(reason)", offset: offset)
    }

    static func tooLarge(limit: Int, offset: Int) -> DecodeError {
        DecodeError(.tooLarge, "The zlib stream holds more than the limit of \(limit) bytes", offset: offset)
    }

    static func missingDictionary(_ id: UInt32) -> DecodeError {
        DecodeError(
            .missingDictionary,
            "The zlib stream was written with the dictionary \(CompressionDictionary.text(of: id)), which was not given",
            offset: 2)
    }
}
