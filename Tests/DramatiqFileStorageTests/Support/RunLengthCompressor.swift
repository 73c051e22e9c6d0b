import Dramatiq

/// Bytes with how often they come in a row, each up to 255 times.
struct RunLengthCompressor: Compressor {
    var name = "runs"

    func recognizes(_ bytes: [UInt8]) -> Bool { false }

    func compress(_ bytes: [UInt8]) throws -> [UInt8] {
        var result: [UInt8] = []
        for byte in bytes {
            if let last = result.last, last == byte, result[result.count - 2] < 255 {
                result[result.count - 2] += 1
            } else {
                result += [1, byte]
            }
        }
        return result
    }

    func decompress(_ bytes: [UInt8], maxSize: Int) throws(DecodeError) -> [UInt8] {
        guard bytes.count.isMultiple(of: 2) else { throw DecodeError(.corrupt, "runs: cut off", offset: bytes.count) }
        var result: [UInt8] = []
        for index in stride(from: 0, to: bytes.count, by: 2) {
            guard result.count + Int(bytes[index]) <= maxSize else {
                throw DecodeError(.tooLarge, "runs: too large", offset: index)
            }
            result += Array(repeating: bytes[index + 1], count: Int(bytes[index]))
        }
        return result
    }
}
