public import Dramatiq

/// Writes large messages as LZ4 frames and reads these and plain JSON.
///
///     let broker = Broker(transport: transport, encoder: LZ4MessageEncoder())
public typealias LZ4MessageEncoder = CompressedMessageEncoder<LZ4Compressor>

extension CompressedMessageEncoder where C == LZ4Compressor {
    /// A frame with one block and a checksum is 31 bytes longer than what is in it. Measured over `Fixtures/messages`,
    /// hardly any smaller message loses more than a sixth.
    public static var defaultMinSize: Int { 384 }
    /// With a dictionary nearly every message shrinks: one without arguments from 253 bytes to about 140.
    public static var defaultMinSizeWithDictionary: Int { 128 }

    /// - Parameters:
    ///   - level: how long to look for a smaller result, from 0 (quick) to 12. Defaults to 0.
    ///   - minSize: messages with fewer bytes are sent as plain JSON. Defaults to what measuring found best.
    ///   - maxDecodedSize: the largest message, in bytes before compression. Defaults to 32 MiB.
    ///   - maxRatio: how many bytes one that is compressed stands for at most, in messages of more than 32 MiB. Defaults
    ///     to 100.
    ///   - dictionary: what frames are written with; whoever reads them needs it as well. Defaults to none.
    ///   - others: more dictionaries that frames may have been written with. Defaults to none.
    ///   - wrapped: writes and reads what is compressed. Defaults to plain JSON of up to `maxDecodedSize`.
    public init(
        level: Int = LZ4Compressor.defaultLevel,
        minSize: Int? = nil,
        maxDecodedSize: Int = LZ4MessageEncoder.defaultMaxDecodedSize,
        maxRatio: Int = LZ4MessageEncoder.defaultMaxRatio,
        dictionary: CompressionDictionary? = nil,
        readingDictionaries others: [CompressionDictionary] = [],
        wrapping wrapped: (any MessageEncoder)? = nil
    ) {
        self.init(
            LZ4Compressor(level: level, dictionary: dictionary, readingDictionaries: others),
            minSize: minSize
                ?? (dictionary == nil ? Self.defaultMinSize : Self.defaultMinSizeWithDictionary),
            maxDecodedSize: maxDecodedSize,
            maxRatio: maxRatio,
            wrapping: wrapped)
    }
}
