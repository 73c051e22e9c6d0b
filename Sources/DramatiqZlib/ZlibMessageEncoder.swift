public import Dramatiq

/// Writes large messages as zlib streams and reads these and plain JSON.
///
///     let broker = Broker(transport: transport, encoder: ZlibMessageEncoder())
public typealias ZlibMessageEncoder = CompressedMessageEncoder<ZlibCompressor>

extension CompressedMessageEncoder where C == ZlibCompressor {
    /// A stream is 6 bytes longer than what is in it, and letters take less than a byte each. Measured over
    /// `Fixtures/messages`, messages of 200 bytes lose a third; smaller ones are not worth the time.
    public static var defaultMinSize: Int { 192 }
    /// With a dictionary nearly every message shrinks: one without arguments from 253 bytes to about 100.
    public static var defaultMinSizeWithDictionary: Int { 128 }

    /// - Parameters:
    ///   - level: how long to look for a smaller result, from 1 (quick) to 9. Defaults to 4.
    ///   - minSize: messages with fewer bytes are sent as plain JSON. Defaults to what measuring found best.
    ///   - maxDecodedSize: the largest message, in bytes before compression. Defaults to 32 MiB.
    ///   - maxRatio: how many bytes one that is compressed stands for at most, in messages of more than 32 MiB. Defaults
    ///     to 100.
    ///   - dictionary: what streams are written with; whoever reads them needs it as well. Defaults to none.
    ///   - others: more dictionaries that streams may have been written with. Defaults to none.
    ///   - wrapped: writes and reads what is compressed. Defaults to plain JSON of up to `maxDecodedSize`.
    public init(
        level: Int = ZlibCompressor.defaultLevel,
        minSize: Int? = nil,
        maxDecodedSize: Int = ZlibMessageEncoder.defaultMaxDecodedSize,
        maxRatio: Int = ZlibMessageEncoder.defaultMaxRatio,
        dictionary: CompressionDictionary? = nil,
        readingDictionaries others: [CompressionDictionary] = [],
        wrapping wrapped: (any MessageEncoder)? = nil
    ) {
        self.init(
            ZlibCompressor(level: level, dictionary: dictionary, readingDictionaries: others),
            minSize: minSize
                ?? (dictionary == nil ? Self.defaultMinSize : Self.defaultMinSizeWithDictionary),
            maxDecodedSize: maxDecodedSize,
            maxRatio: maxRatio,
            wrapping: wrapped)
    }
}
