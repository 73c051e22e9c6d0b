/// Damages bytes in the ways that find faults in decoders, the same for the same seed.
public struct ByteMutator: Sendable {
    /// Sizes, counts and flags at which decoders turn.
    private static let values: [UInt32] = [
        0, 1, 4, 15, 16, 0x7F, 0x80, 0xFF, 0x100, 0x7FFF, 0x8000, 0xFFFF, 0x1_0000, 0x4_0000, 0x7FFF_FFFF, 0x8000_0000,
        0x8000_0001, 0xFFFF_FFFE, 0xFFFF_FFFF,
    ]
    private static let largestInsertion = 40

    private var generator: SeededGenerator

    public init(seed: UInt64) {
        generator = SeededGenerator(seed: seed)
    }

    /// A damaged copy of one of the inputs: one to six changes, most often few.
    public mutating func next(_ inputs: [[UInt8]]) -> [UInt8] {
        var bytes = inputs[Int.random(in: inputs.indices, using: &generator)]
        var changes = 1
        while changes < 6, Bool.random(using: &generator) { changes += 1 }
        for _ in 0..<changes { change(&bytes, inputs) }
        return bytes
    }

    private mutating func change(_ bytes: inout [UInt8], _ inputs: [[UInt8]]) {
        guard !bytes.isEmpty else {
            bytes = noise()
            return
        }
        let place = Int.random(in: bytes.indices, using: &generator)
        switch Int.random(in: 0..<10, using: &generator) {
        case 0, 1: bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
        case 2: bytes[place] = UInt8.random(in: .min ... .max, using: &generator)
        case 3: bytes[place] = [0, 1, 0x0F, 0x7F, 0x80, 0xF0, 0xFF].randomElement(using: &generator) ?? 0
        case 4: overwrite(&bytes, place)
        case 5: bytes.removeSubrange(range(from: place, bytes.count))
        case 6: bytes.insert(contentsOf: noise(), at: place)
        case 7: bytes.insert(contentsOf: bytes[range(from: place, bytes.count)], at: place)
        case 8: bytes.removeSubrange(place...)
        default:
            // The beginning of one and the end of another.
            let other = inputs[Int.random(in: inputs.indices, using: &generator)]
            bytes = bytes[..<place] + other.suffix(Int.random(in: 0...other.count, using: &generator))
        }
    }

    /// Puts a 32-bit number in the place of what is there.
    private mutating func overwrite(_ bytes: inout [UInt8], _ place: Int) {
        let value = Self.values.randomElement(using: &generator) ?? 0
        for index in 0..<min(4, bytes.count - place) {
            bytes[place + index] = UInt8(truncatingIfNeeded: value >> UInt32(8 * index))
        }
    }

    private mutating func range(from place: Int, _ count: Int) -> Range<Int> {
        place..<min(count, place + Int.random(in: 1...Self.largestInsertion, using: &generator))
    }

    private mutating func noise() -> [UInt8] {
        (0..<Int.random(in: 1...Self.largestInsertion, using: &generator)).map { _ in
            UInt8.random(in: .min ... .max, using: &generator)
        }
    }
}
