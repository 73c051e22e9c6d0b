public import Dramatiq

/// Gives a decoder damaged inputs: it must give back no more than it may, or an error that names its format.
public struct DecoderFuzz: Sendable {
    /// What became of the inputs.
    public struct Outcome: Sendable {
        /// Those that still held something.
        public var accepted = 0
        /// The others, by the sort of error.
        public var refused: [String: Int] = [:]

        public init() {}

        public var count: Int { accepted + refused.values.reduce(0, +) }
    }

    /// The decoder did what it must not.
    public struct Fault: Error, CustomStringConvertible {
        public let format: String
        public let what: String
        /// The input with which it did.
        public let input: [UInt8]

        public var description: String {
            let hexadecimal = input.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
            return "\(format) \(what) for the input \(hexadecimal)"
        }
    }

    private let compressor: any Compressor
    private let inputs: [[UInt8]]
    private let maxSize: Int

    /// - Parameters:
    ///   - compressor: the decoder.
    ///   - inputs: what is damaged.
    ///   - maxSize: what the decoder is allowed to give back.
    public init(_ compressor: any Compressor, damaging inputs: [[UInt8]], maxSize: Int = 1 << 20) {
        self.compressor = compressor
        self.inputs = inputs
        self.maxSize = maxSize
    }

    /// - Throws: ``Fault``.
    public func run(count: Int, seed: UInt64) throws(Fault) -> Outcome {
        var mutator = ByteMutator(seed: seed)
        var outcome = Outcome()
        for _ in 0..<count {
            let input = mutator.next(inputs)
            switch decode(input) {
            case .success(let content):
                guard content.count <= maxSize else { throw fault("gave back \(content.count) bytes", input) }
                outcome.accepted += 1
            case .failure(let error):
                guard error.reason.contains(compressor.name), (0...input.count).contains(error.offset) else {
                    throw fault("said '\(error)'", input)
                }
                outcome.refused["\(error.code)", default: 0] += 1
            }
        }
        return outcome
    }

    private func decode(_ input: [UInt8]) -> Result<[UInt8], DecodeError> {
        Result { () throws(DecodeError) in try compressor.decompress(input, maxSize: maxSize) }
    }

    private func fault(_ what: String, _ input: [UInt8]) -> Fault {
        Fault(format: compressor.name, what: what, input: input)
    }
}
