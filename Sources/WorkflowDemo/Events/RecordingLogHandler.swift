import CommandLineSupport
import Dramatiq
import Logging

/// Turns what is logged into events, so that it appears between what the demo prints and not across it. What becomes of
/// single messages is left out: there are events of their own for it, and it would be said twice.
struct RecordingLogHandler: LogHandler {
    let recorder: EventRecorder
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.warning

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        let all = metadata.merging(event.metadata ?? [:]) { $1 }
        guard all["message_id"] == nil else { return }
        let details = all.sorted { $0.key < $1.key }.map { "\($0.key)=\(PrintableText.escape("\($0.value)"))" }
        let message = PrintableText.escape("\(event.message)")
        recorder.record(.logged("\(event.level): " + ([message] + details).joined(separator: " ")))
    }
}

extension Logger {
    /// A logger whose warnings and errors become events.
    static func recording(to recorder: EventRecorder) -> Logger {
        Logger(label: "dramatiq-workflow") { _ in RecordingLogHandler(recorder: recorder) }
    }
}
