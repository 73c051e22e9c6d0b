internal import CLZ4
internal import Dramatiq

/// What can be wrong, in words.
enum LZ4Failure {
    static let format = "lz4"

    static var noMemoryToCompress: CompressionError {
        CompressionError(format: format, reason: "there is no memory for it")
    }

    static var noMemoryToDecompress: DecodeError {
        DecodeError(.tooLarge, "There is no memory to read the lz4 frame", offset: 0)
    }

    static var cutShort: String { "it is cut short" }

    static func corrupt(_ reason: String, offset: Int) -> DecodeError {
        DecodeError(.corrupt, "The lz4 frame is damaged: \(reason)", offset: offset)
    }

    static func tooLarge(limit: Int, offset: Int) -> DecodeError {
        DecodeError(.tooLarge, "The lz4 frame holds more than the limit of \(limit) bytes", offset: offset)
    }

    static func missingDictionary(_ id: UInt32) -> DecodeError {
        DecodeError(
            .missingDictionary,
            "The lz4 frame was written with the dictionary \(CompressionDictionary.text(of: id)), which was not given",
            offset: 0)
    }

    /// What a function of `lz4frame.h` says with its result.
    static func reason(_ code: Int) -> String {
        // ERROR_contentChecksum_invalid
        let name = String(cString: LZ4F_getErrorName(code))
        var words = ""
        for character in name.hasPrefix("ERROR_") ? name.dropFirst(6) : name[...] {
            if character == "_" {
                words += " "
            } else if character.isUppercase, words.last?.isLowercase ?? false {
                words += " " + character.lowercased()
            } else {
                words.append(character)
            }
        }
        return words
    }
}
