public import Logging
import Synchronization

/// Keeps what is logged, so that a test can read it.
public final class RecordingLog: Sendable {
    public struct Entry: Sendable {
        public let level: Logger.Level
        public let message: String
        public let metadata: [String: String]
    }

    private let state = Mutex<[Entry]>([])

    public init() {}

    public var entries: [Entry] { state.withLock(\.self) }
    /// Those that say that something is wrong.
    public var complaints: [Entry] { entries.filter { $0.level >= .warning } }

    public var logger: Logger {
        Logger(label: "test") { _ in Handler(log: self) }
    }

    private struct Handler: LogHandler {
        let log: RecordingLog
        var metadata: Logger.Metadata = [:]
        var logLevel = Logger.Level.debug

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            let entry = Entry(
                level: event.level, message: "\(event.message)",
                metadata: metadata.merging(event.metadata ?? [:]) { $1 }.mapValues { "\($0)" })
            log.state.withLock { $0.append(entry) }
        }
    }
}
