extension Message {
    /// A dead letter as it goes back to its queue: with all its retries, and due at once unless its delay is not over
    /// yet. It then names the queue that it goes to.
    ///
    /// - Parameter now: in milliseconds since 1970.
    /// - Returns: `nil` if it goes back to its queue as it is.
    package func requeued(now: Int = SystemClock.milliseconds()) -> Message? {
        var message = self
        if let eta = options.value("eta")?.doubleValue, eta > Double(now) {
            message.queueName = QueueName.delayed(queueName)
        } else {
            message.queueName = QueueName.canonical(queueName)
            message.options["eta"] = nil
        }
        message.options.remove(WireOption.history)
        return message == self && QueueName.isCanonical(queueName) ? nil : message
    }
}

extension Message {
    /// The id that its transport has given it; `nil` if the transport gives none.
    package var transportID: String? {
        for name in WireOption.transportIDs {
            if let id = options.value(name)?.stringValue { return id }
        }
        return nil
    }
}

extension MessageEncoder {
    /// A dead letter's bytes as they go back to a queue; see ``Message/requeued(now:)``. What this encoder can't read or
    /// can't write goes back as it is.
    ///
    /// - Returns: the bytes, `nil` if they are the same, and whether they go to the delay queue.
    package func requeued(_ bytes: [UInt8]) -> (bytes: [UInt8]?, isDelayed: Bool) {
        guard let message = try? decode(bytes).requeued(),
            let changed = try? encode(message, replacing: bytes)
        else { return (nil, false) }
        return (changed, QueueName.isDelayed(message.queueName))
    }
}
