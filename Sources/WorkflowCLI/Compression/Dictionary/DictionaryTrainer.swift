import Dramatiq

/// Finds bytes that many samples contain.
///
/// In the spirit of COVER (Liao, Petri, Moffat, Wirth 2016, as in Zstandard's dictionary builder): short strings are
/// scored by how many samples contain them, then again and again the segment is taken that covers the most of what is
/// not covered yet. Ids are left out, since they never occur again.
struct DictionaryTrainer: Sendable {
    /// Bytes of a short string. LZ4 finds repetitions from four bytes on, zlib from three.
    private static let stringLength = 6

    /// The longest segment, in bytes.
    let segmentLength: Int

    /// - Parameters:
    ///   - samples: messages as plain JSON.
    ///   - size: the most bytes to give.
    /// - Returns: the content of a dictionary, the most useful segment last; empty if the samples have nothing in
    ///   common.
    func train(_ samples: [[UInt8]], size: Int, _ cancellation: Cancellation) throws -> [UInt8] {
        var strings = SampledStrings(samples, length: Self.stringLength)
        var segments: [ArraySlice<UInt8>] = []
        var left = size
        while left >= Self.stringLength {
            try cancellation.check()
            let window = min(segmentLength, left) - Self.stringLength + 1
            guard let best = strings.best(window: window) else { break }
            segments.append(strings.bytes[best.lowerBound..<best.upperBound + Self.stringLength - 1])
            strings.cover(best)
            left -= best.count + Self.stringLength - 1
        }
        return segments.reversed().flatMap { $0 }
    }
}

/// All short strings of the samples, by where they begin, and what they are worth.
private struct SampledStrings {
    /// The samples, one after the other.
    let bytes: [UInt8]
    /// Which string begins at each byte. Number 0 stands for those that are worth nothing.
    private var numbers: [Int32]
    /// By a string's number: how many samples contain it, 0 once it is covered.
    private var worth: [Int32]

    init(_ samples: [[UInt8]], length: Int) {
        bytes = samples.flatMap { $0 }
        numbers = [Int32](repeating: 0, count: bytes.count)
        worth = [0]
        var known: [UInt64: Int32] = [:]
        // By a string's number: the last sample that it was seen in.
        var seen: [Int32] = [-1]
        var start = 0
        for (index, sample) in samples.enumerated() {
            let ids = IdentifierScan(sample)
            var string: UInt64 = 0
            for (place, byte) in sample.enumerated() {
                string = (string << 8 | UInt64(byte)) & (1 << UInt64(8 * length) - 1)
                let first = place - length + 1
                guard first >= 0, !ids.touches(first...place) else { continue }
                let number = known[string] ?? Int32(worth.count)
                if number == worth.count {
                    known[string] = number
                    worth.append(0)
                    seen.append(-1)
                }
                numbers[start + first] = number
                guard seen[Int(number)] != index else { continue }
                seen[Int(number)] = Int32(index)
                worth[Int(number)] += 1
            }
            start += sample.count
        }
        // What only one sample contains helps no other.
        for number in worth.indices where worth[number] < 2 { worth[number] = 0 }
    }

    /// The window of beginnings whose strings are worth the most, without what is worth nothing at its ends.
    func best(window: Int) -> Range<Int>? {
        // How often each string is in the window: it counts once.
        var inside = [Int32](repeating: 0, count: worth.count)
        var score = 0
        var best = (score: 0, end: 0)
        for place in numbers.indices {
            let entering = Int(numbers[place])
            if inside[entering] == 0 { score += Int(worth[entering]) }
            inside[entering] += 1
            if place >= window {
                let leaving = Int(numbers[place - window])
                inside[leaving] -= 1
                if inside[leaving] == 0 { score -= Int(worth[leaving]) }
            }
            if score > best.score { best = (score, place + 1) }
        }
        guard best.score > 0 else { return nil }
        var range = max(0, best.end - window)..<best.end
        while worth[Int(numbers[range.lowerBound])] == 0 { range = range.lowerBound + 1..<range.upperBound }
        while worth[Int(numbers[range.upperBound - 1])] == 0 { range = range.lowerBound..<range.upperBound - 1 }
        return range
    }

    /// Takes the worth of what is in a dictionary already.
    mutating func cover(_ range: Range<Int>) {
        for place in range { worth[Int(numbers[place])] = 0 }
    }
}
