import Logging

/// A message that was read, with what it has of its worker's memory budget.
struct ReadMessage: Sendable {
    let message: Message
    /// `nil` for most, which are small or come from this process.
    let memory: MemoryShare?
}

/// Reading messages within the memory budget. What there is no room for waits as it came, and meanwhile others are
/// processed. Nobody who waits for room holds any.
extension Worker {
    enum Reading {
        case message(ReadMessage)
        /// There is not as much room at present.
        case noRoom(needed: Int)
    }

    /// Reads a message if there is room for it.
    ///
    /// - Parameter share: the room that was made for it already.
    /// - Throws: what the encoder throws.
    func read(_ delivery: Delivery, _ share: MemoryShare?) throws -> Reading {
        switch delivery.payload {
        case .envelope(let envelope):
            return .message(ReadMessage(message: envelope.message, memory: nil))
        case .bytes(let bytes):
            if broker.encoder.isSmall(bytes) {
                return .message(ReadMessage(message: try broker.encoder.decode(bytes), memory: nil))
            }
            return try readCounted(delivery, bytes, share)
        }
    }

    /// How much room a message needs to be read, whatever it turns out to be.
    func roomToRead(_ delivery: Delivery) -> Int {
        guard case .bytes(let bytes) = delivery.payload else { return 0 }
        let (sum, overflow) = bytes.count.addingReportingOverflow(broker.encoder.maxDecodedSize(of: bytes))
        return overflow ? .max : sum
    }

    private func readCounted(_ delivery: Delivery, _ bytes: [UInt8], _ share: MemoryShare?) throws -> Reading {
        let needed = roomToRead(delivery)
        // One that comes later doesn't take the room for which others wait.
        guard let share = share ?? (unread.isEmpty ? memory.shareNow(needed) : nil) else {
            return .noRoom(needed: needed)
        }
        var size = 0
        let message = try broker.encoder.decode(bytes, decodedSize: &size)
        if size <= MessageMemory.small { return .message(ReadMessage(message: message, memory: nil)) }
        let cost = MessageMemory.cost(decoded: size, encoded: bytes.count)
        guard share.resize(to: cost) else { return .noRoom(needed: cost) }
        return .message(ReadMessage(message: message, memory: share))
    }

    /// Reads the messages for which there was no room, in the order in which they came.
    func runUnread() async {
        while let next = await unread.first() {
            guard let taken = await lookOnceThereIsRoom(at: next.delivery, next.source, next.needed) else { return }
            await putAside(next.delivery, next.source, taken)
            unread.removeFirst()
        }
    }

    /// Reads a delivery, waiting until there is room for it; `nil` once the task is cancelled.
    func lookOnceThereIsRoom(at delivery: Delivery, _ source: WorkSource, _ needed: Int) async -> Taken? {
        var needed = needed
        while let share = await memory.share(needed) {
            let taken =
                delivery.isRedelivered && broker.countsCrashes
                ? await lookWarily(at: delivery, source, share) : look(at: delivery, source, share)
            guard case .unread(let more) = taken else { return taken }
            needed = more
        }
        return nil
    }

    /// When a message is due, in milliseconds since 1970; `nil` if it doesn't say.
    func eta(of message: Message) -> Int? {
        do {
            return try message.eta()
        } catch {
            // As Python does.
            log(message, "A message is taken to be due at once", "\(error)", level: .warning)
            return .min
        }
    }
}
