package import Logging

/// Hands what is logged on to another handler with every text made printable: much of it comes from messages, servers and
/// errors, and a line break or an escape sequence in it would forge lines of the log or reach the terminal of who reads
/// it.
struct PrintableLogHandler: LogHandler {
    fileprivate var base: any LogHandler

    var metadata: Logger.Metadata {
        get { base.metadata }
        set { base.metadata = newValue }
    }

    var logLevel: Logger.Level {
        get { base.logLevel }
        set { base.logLevel = newValue }
    }

    var metadataProvider: Logger.MetadataProvider? {
        get { base.metadataProvider }
        set { base.metadataProvider = newValue }
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { base[metadataKey: key] }
        set { base[metadataKey: key] = newValue }
    }

    func log(event: LogEvent) {
        var event = event
        event.message = "\(PrintableText.escape(event.message.description, limit: PrintableText.logLimit))"
        event.metadata = event.metadata?.mapValues(\.printable)
        base.log(event: event)
    }
}

extension Logger {
    /// The same logger for what comes from outside: see ``PrintableLogHandler``. Costs nothing for what isn't logged.
    package var printable: Logger {
        var logger = self
        if !(handler is PrintableLogHandler) { logger.handler = PrintableLogHandler(base: handler) }
        return logger
    }
}

extension Logger.MetadataValue {
    fileprivate var printable: Logger.MetadataValue {
        switch self {
        case .string(let text): .string(PrintableText.escape(text, limit: PrintableText.logLimit))
        case .stringConvertible(let value):
            .string(PrintableText.escape(value.description, limit: PrintableText.logLimit))
        case .dictionary(let members): .dictionary(members.mapValues(\.printable))
        case .array(let elements): .array(elements.map(\.printable))
        }
    }
}
