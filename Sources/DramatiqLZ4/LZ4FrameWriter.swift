internal import CLZ4
internal import Dramatiq

/// Writes frames, one after the other, with the same memory.
///
/// Unchecked because of its pointers to liblz4's state. Its methods are called by whoever took it from the pool, and the
/// pool hands it to one at a time, with a lock in between.
final class LZ4FrameWriter: @unchecked Sendable {
    /// A reader holds a block, so they are kept small; larger ones make hardly smaller frames.
    private static let largestBlock = 1 << 18
    private static let smallestBlock = 1 << 16

    private let context: OpaquePointer
    private let level: Int32
    private let dictionary: LZ4DictionaryBlocks?
    private let dictionaryID: UInt32

    init?(level: Int32, dictionary: CompressionDictionary?) {
        var context: OpaquePointer?
        guard LZ4F_isError(LZ4F_createCompressionContext(&context, UInt32(LZ4F_VERSION))) == 0, let context else {
            return nil
        }
        self.context = context
        self.level = level
        self.dictionary = dictionary.flatMap { LZ4DictionaryBlocks($0.bytes, level: level) }
        dictionaryID = dictionary?.id ?? 0
        if dictionary != nil, self.dictionary == nil { return nil }
    }

    deinit {
        LZ4F_freeCompressionContext(context)
    }

    /// - Throws: `CompressionError`; the writer must not be used again then.
    func frame(of bytes: [UInt8]) throws(CompressionError) -> [UInt8] {
        var preferences = LZ4F_preferences_t()
        let isSmall = bytes.count <= Self.smallestBlock
        preferences.frameInfo.blockSizeID = isSmall ? LZ4F_max64KB : LZ4F_max256KB
        // Linked blocks would need memory for what came before; independent ones are hardly larger.
        preferences.frameInfo.blockMode = LZ4F_blockIndependent
        preferences.frameInfo.contentChecksumFlag = LZ4F_contentChecksumEnabled
        preferences.frameInfo.contentSize = UInt64(bytes.count)
        preferences.frameInfo.dictID = dictionaryID
        preferences.compressionLevel = level
        preferences.autoFlush = 1

        let bound = LZ4F_compressFrameBound(bytes.count, &preferences)
        var failure: Int?
        let frame = [UInt8](unsafeUninitializedCapacity: bound) { frame, count in
            bytes.withUnsafeBytes { content in
                guard let start = frame.baseAddress else { return }
                let header = LZ4F_compressBegin(context, start, bound, &preferences)
                guard LZ4F_isError(header) == 0 else {
                    failure = header
                    return
                }
                count = header
                if let dictionary {
                    let blockSize = isSmall ? Self.smallestBlock : Self.largestBlock
                    count += dictionary.write(
                        content, blockSize: blockSize, to: UnsafeMutableRawPointer(start + header))
                    return
                }
                let blocks = LZ4F_compressUpdate(
                    context, start + header, bound - header, content.baseAddress, content.count, nil)
                guard LZ4F_isError(blocks) == 0 else {
                    failure = blocks
                    return
                }
                count += blocks
                let end = LZ4F_compressEnd(context, start + count, bound - count, nil)
                guard LZ4F_isError(end) == 0 else {
                    failure = end
                    return
                }
                count += end
            }
        }
        if let failure { throw CompressionError(format: LZ4Failure.format, reason: LZ4Failure.reason(failure)) }
        return frame
    }
}
