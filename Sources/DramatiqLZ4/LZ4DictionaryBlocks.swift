internal import CLZ4

/// Writes the blocks of a frame, each as if the dictionary stood before it.
///
/// Preparing liblz4's tables from a dictionary takes longer than compressing a small message. It is done once, and the
/// tables are copied for every block: their size is the same in all versions ("for inter-version compatibility").
final class LZ4DictionaryBlocks {
    /// Set in a block's size if the block is stored as it is.
    static let storedFlag: UInt32 = 1 << 31

    private enum Tables {
        case fast(prepared: UnsafeMutablePointer<LZ4_stream_t>, working: UnsafeMutablePointer<LZ4_stream_t>)
        /// These are large, so preparing them again is not slower than a copy.
        case thorough(UnsafeMutablePointer<LZ4_streamHC_t>)
    }

    private let tables: Tables
    private let level: Int32
    /// liblz4 reads the dictionary whenever it compresses, so it stays where it is.
    private let dictionary: UnsafeMutableBufferPointer<CChar>

    init?(_ bytes: [UInt8], level: Int32) {
        self.level = level
        if level < LZ4HC_CLEVEL_MIN {
            guard let prepared = LZ4_createStream() else { return nil }
            guard let working = LZ4_createStream() else {
                LZ4_freeStream(prepared)
                return nil
            }
            tables = .fast(prepared: prepared, working: working)
        } else {
            guard let stream = LZ4_createStreamHC() else { return nil }
            tables = .thorough(stream)
        }
        dictionary = .allocate(capacity: bytes.count)
        _ = dictionary.initialize(from: bytes.lazy.map { CChar(bitPattern: $0) })
        if case .fast(let prepared, _) = tables {
            LZ4_loadDict(prepared, dictionary.baseAddress, Int32(dictionary.count))
        }
    }

    deinit {
        switch tables {
        case .fast(let prepared, let working):
            LZ4_freeStream(prepared)
            LZ4_freeStream(working)
        case .thorough(let stream):
            LZ4_freeStreamHC(stream)
        }
        dictionary.deallocate()
    }

    /// Writes all that comes after a frame's header: blocks, end mark and checksum.
    ///
    /// - Parameter output: has room for the content stored as it is.
    /// - Returns: how many bytes were written.
    func write(_ content: UnsafeRawBufferPointer, blockSize: Int, to output: UnsafeMutableRawPointer) -> Int {
        var count = 0
        func append(_ word: UInt32) {
            output.storeBytes(of: word.littleEndian, toByteOffset: count, as: UInt32.self)
            count += 4
        }
        var start = 0
        while start < content.count {
            let block = UnsafeRawBufferPointer(rebasing: content[start..<min(content.count, start + blockSize)])
            // One byte less, so that a block which would not shrink is stored.
            let size = compress(block, to: output + count + 4, capacity: block.count - 1)
            if size > 0 {
                append(UInt32(size))
                count += size
            } else {
                append(UInt32(block.count) | Self.storedFlag)
                UnsafeMutableRawBufferPointer(start: output + count, count: block.count).copyMemory(from: block)
                count += block.count
            }
            start += block.count
        }
        append(0)
        append(XXHash32.hash(content))
        return count
    }

    private func compress(_ block: UnsafeRawBufferPointer, to output: UnsafeMutableRawPointer, capacity: Int) -> Int {
        let source = block.baseAddress?.assumingMemoryBound(to: CChar.self)
        let target = output.assumingMemoryBound(to: CChar.self)
        switch tables {
        case .fast(let prepared, let working):
            working.update(from: prepared, count: 1)
            // As liblz4's frames have it: below 0, acceleration.
            let acceleration = level < 0 ? -level &+ 1 : 1
            return Int(
                LZ4_compress_fast_continue(working, source, target, Int32(block.count), Int32(capacity), acceleration))
        case .thorough(let stream):
            LZ4_resetStreamHC_fast(stream, level)
            LZ4_loadDictHC(stream, dictionary.baseAddress, Int32(dictionary.count))
            return Int(LZ4_compress_HC_continue(stream, source, target, Int32(block.count), Int32(capacity)))
        }
    }
}
