internal import CLZ4
internal import Dramatiq

/// Reads what comes after the header of a frame that was written with a dictionary.
struct LZ4DictionaryFrame {
    let info: LZ4F_frameInfo_t
    let dictionary: [UInt8]
    let maxSize: Int

    func content(
        of frame: [UInt8],
        from start: Int,
        _ buffer: inout GrowingBuffer
    ) throws(DecodeError) -> [UInt8] {
        guard info.blockMode == LZ4F_blockIndependent else {
            throw LZ4Failure.corrupt("its blocks are linked, which is not read with a dictionary", offset: 0)
        }
        var position = start
        while true {
            let header = try word(frame, &position)
            if header == 0 { break }
            let size = Int(header & ~LZ4DictionaryBlocks.storedFlag)
            guard size <= largestBlock, size <= frame.count - position else {
                let reason = size > largestBlock ? "a block is larger than it says" : LZ4Failure.cutShort
                throw LZ4Failure.corrupt(reason, offset: position)
            }
            let block = position..<position + size
            try read(frame, block, isStored: header & LZ4DictionaryBlocks.storedFlag != 0, &buffer)
            position += size
            if info.blockChecksumFlag == LZ4F_blockChecksumEnabled {
                let hash = frame.withUnsafeBytes { XXHash32.hash(UnsafeRawBufferPointer(rebasing: $0[block])) }
                guard try word(frame, &position) == hash else {
                    throw LZ4Failure.corrupt("block checksum invalid", offset: block.upperBound)
                }
            }
        }
        guard info.contentSize == 0 || info.contentSize == UInt64(buffer.count) else {
            throw LZ4Failure.corrupt("frame size wrong", offset: position)
        }
        let content = buffer.take()
        if info.contentChecksumFlag == LZ4F_contentChecksumEnabled {
            let offset = position
            guard try word(frame, &position) == content.withUnsafeBytes({ XXHash32.hash($0) }) else {
                throw LZ4Failure.corrupt("content checksum invalid", offset: offset)
            }
        }
        guard position == frame.count else {
            throw LZ4Failure.corrupt("\(frame.count - position) bytes follow its end", offset: position)
        }
        return content
    }

    /// In bytes; the format has four sizes.
    private var largestBlock: Int {
        1 << (8 + 2 * Int(max(info.blockSizeID.rawValue, LZ4F_max64KB.rawValue)))
    }

    private func read(
        _ frame: [UInt8],
        _ block: Range<Int>,
        isStored: Bool,
        _ buffer: inout GrowingBuffer
    ) throws(DecodeError) {
        let wanted = isStored ? block.count : largestBlock
        let hasRoom = buffer.reserve(wanted, limit: maxSize)
        let room = buffer.unused(limit: maxSize)
        let count = frame.withUnsafeBytes { frame in
            let source = UnsafeRawBufferPointer(rebasing: frame[block])
            if isStored {
                guard source.count <= room.count else { return -1 }
                room.copyMemory(from: source)
                return source.count
            }
            return dictionary.withUnsafeBytes { dictionary in
                Int(
                    LZ4_decompress_safe_usingDict(
                        source.baseAddress?.assumingMemoryBound(to: CChar.self),
                        room.baseAddress?.assumingMemoryBound(to: CChar.self),
                        Int32(source.count), Int32(min(room.count, largestBlock)),
                        dictionary.baseAddress?.assumingMemoryBound(to: CChar.self), Int32(dictionary.count)))
            }
        }
        guard count >= 0 else {
            // Without room for a whole block nobody knows which of the two it is; the limit is the likelier one.
            throw hasRoom
                ? LZ4Failure.corrupt("decompression failed", offset: block.lowerBound)
                : LZ4Failure.tooLarge(limit: maxSize, offset: block.lowerBound)
        }
        buffer.count += count
    }

    private func word(_ frame: [UInt8], _ position: inout Int) throws(DecodeError) -> UInt32 {
        guard frame.count - position >= 4 else { throw LZ4Failure.corrupt(LZ4Failure.cutShort, offset: frame.count) }
        defer { position += 4 }
        return frame.withUnsafeBytes {
            UInt32(littleEndian: $0.loadUnaligned(fromByteOffset: position, as: UInt32.self))
        }
    }
}
