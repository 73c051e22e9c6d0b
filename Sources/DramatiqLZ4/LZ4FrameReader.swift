internal import CLZ4
internal import Dramatiq

/// Reads frames, one after the other, with the same memory.
///
/// Unchecked because of its pointers to liblz4's state. Its methods are called by whoever took it from the pool, and the
/// pool hands it to one at a time, with a lock in between.
final class LZ4FrameReader: @unchecked Sendable {
    /// A byte of a block stands for no more than this many bytes of content.
    private static let largestRatio = 255

    /// The most bytes that a frame can hold, by its length and by what it says, if it does.
    static func maxContentSize(of frame: [UInt8]) -> Int {
        let (possible, overflow) = frame.count.multipliedReportingOverflow(by: largestRatio)
        let most = overflow ? Int.max : possible
        // Behind the magic number, flags and a byte about blocks, if the flag for it is set. No size is said as zero.
        guard frame.count >= 14, frame[4] & 0b1000 != 0 else { return most }
        let declared = frame.withUnsafeBytes {
            UInt64(littleEndian: $0.loadUnaligned(fromByteOffset: 6, as: UInt64.self))
        }
        return declared == 0 ? most : min(most, Int(clamping: declared))
    }

    private var context: OpaquePointer
    private let dictionaries: [UInt32: [UInt8]]
    private var buffer = GrowingBuffer()
    /// Whether the next frame can be read with the memory that this one took: liblz4 keeps that of the largest block.
    private(set) var isReusable = true

    init?(dictionaries: [UInt32: [UInt8]]) {
        guard let context = Self.makeContext() else { return nil }
        self.context = context
        self.dictionaries = dictionaries
    }

    private static func makeContext() -> OpaquePointer? {
        var context: OpaquePointer?
        let code = LZ4F_createDecompressionContext(&context, UInt32(LZ4F_VERSION))
        return LZ4F_isError(code) == 0 ? context : nil
    }

    deinit {
        LZ4F_freeDecompressionContext(context)
    }

    /// What a frame holds.
    func content(of frame: [UInt8], maxSize: Int) throws(DecodeError) -> [UInt8] {
        do throws(DecodeError) {
            return try unsafe(frame, maxSize)
        } catch {
            abandonFrame()
            buffer.clear()
            throw error
        }
    }

    /// Makes ready for another frame before this one has come to its end.
    ///
    /// `LZ4F_resetDecompressionContext` would be there for it. In liblz4 1.9.4 it leaves behind how much of the frame is
    /// still to come, and the next frame that doesn't say its size is then refused ("frame size wrong").
    private func abandonFrame() {
        guard let fresh = Self.makeContext() else {
            isReusable = false
            return
        }
        LZ4F_freeDecompressionContext(context)
        context = fresh
    }

    private func unsafe(_ frame: [UInt8], _ maxSize: Int) throws(DecodeError) -> [UInt8] {
        var info = LZ4F_frameInfo_t()
        var headerSize = frame.count
        let next = LZ4F_getFrameInfo(context, &info, frame, &headerSize)
        guard LZ4F_isError(next) == 0 else { throw LZ4Failure.corrupt(LZ4Failure.reason(next), offset: 0) }
        guard info.frameType == LZ4F_frame else { throw LZ4Failure.corrupt("it is a skippable one", offset: 0) }
        isReusable = info.blockSizeID.rawValue <= LZ4F_max256KB.rawValue

        let declared = info.contentSize
        guard declared <= UInt64(max(0, maxSize)) else { throw LZ4Failure.tooLarge(limit: maxSize, offset: 0) }
        let possible = (frame.count - headerSize).multipliedReportingOverflow(by: Self.largestRatio)
        guard possible.overflow || declared <= UInt64(possible.partialValue) else {
            throw LZ4Failure.corrupt("it can't hold the \(declared) bytes that it says", offset: 0)
        }
        if info.dictID != 0 {
            guard let dictionary = dictionaries[info.dictID] else { throw LZ4Failure.missingDictionary(info.dictID) }
            let reader = LZ4DictionaryFrame(info: info, dictionary: dictionary, maxSize: maxSize)
            let content = try reader.content(of: frame, from: headerSize, &buffer)
            // For liblz4 the frame has only begun.
            abandonFrame()
            return content
        }
        if declared > 0 { return try sized(frame, from: headerSize, size: Int(declared)) }
        return try unsized(frame, from: headerSize, maxSize)
    }

    /// Reads blocks into an array of the size that the header says.
    private func sized(_ frame: [UInt8], from start: Int, size: Int) throws(DecodeError) -> [UInt8] {
        var position = start
        var failure: DecodeError?
        let content = [UInt8](unsafeUninitializedCapacity: size) { content, count in
            do throws(DecodeError) {
                let isComplete = try read(frame, &position, UnsafeMutableRawBufferPointer(content), &count)
                guard isComplete else {
                    let reason = position == frame.count ? LZ4Failure.cutShort : "it holds more than it says"
                    throw LZ4Failure.corrupt(reason, offset: position)
                }
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
        try expectEnd(frame, position)
        return content
    }

    /// Reads blocks into memory that grows.
    private func unsized(_ frame: [UInt8], from start: Int, _ maxSize: Int) throws(DecodeError) -> [UInt8] {
        var position = start
        while true {
            let hasRoom = buffer.grow(limit: maxSize, hint: frame.count * 4)
            var count = 0
            let isComplete = try read(frame, &position, buffer.unused(limit: maxSize), &count)
            buffer.count += count
            if isComplete { break }
            guard hasRoom else { throw LZ4Failure.tooLarge(limit: maxSize, offset: position) }
        }
        try expectEnd(frame, position)
        return buffer.take()
    }

    /// Reads until the frame or the room for what it holds ends.
    ///
    /// - Returns: whether the frame is complete.
    private func read(
        _ frame: [UInt8],
        _ position: inout Int,
        _ content: UnsafeMutableRawBufferPointer,
        _ count: inout Int
    ) throws(DecodeError) -> Bool {
        while true {
            var consumed = frame.count - position
            var produced = content.count - count
            let next = frame.withUnsafeBytes { frame in
                LZ4F_decompress(
                    context, content.baseAddress.map { $0 + count }, &produced,
                    frame.baseAddress.map { $0 + position }, &consumed, nil)
            }
            guard LZ4F_isError(next) == 0 else { throw LZ4Failure.corrupt(LZ4Failure.reason(next), offset: position) }
            position += consumed
            count += produced
            if next == 0 { return true }
            if produced == 0, consumed == 0 {
                guard position < frame.count || count == content.count else {
                    throw LZ4Failure.corrupt(LZ4Failure.cutShort, offset: position)
                }
                return false
            }
        }
    }

    private func expectEnd(_ frame: [UInt8], _ position: Int) throws(DecodeError) {
        guard position == frame.count else {
            throw LZ4Failure.corrupt("\(frame.count - position) bytes follow its end", offset: position)
        }
    }
}
