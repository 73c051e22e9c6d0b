import Dramatiq

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// A run in a list: all that lists show of it but its state and when it ended.
///
/// It is one text, which stays as it is for as long as the run is kept. Its parts are separated by ``separator``, which no
/// name and no label has:
///
///     started (ms), kind, about, id
///
/// The kind is `r`, or `c` if the barrier's release isn't recorded. What it is about are parts as well, of which the run's
/// hash has a copy:
///
///     tasks, retention (ms), number of labels, name, key=value of each label, sorted by their keys
struct RunEntry {
    static let separator = RunLimits.separator

    let id: String
    let started: Int
    /// Whether it can be seen at the barrier that it is open, whoever opened it.
    let isReleaseRecorded: Bool
    let taskCount: Int
    let retention: Int
    let name: String
    let labels: [String: String]

    /// - Returns: `nil` if it is no entry.
    init?(_ bytes: [UInt8]) {
        var parts = Parts(rest: bytes[...])
        guard let started = parts.number(), let kind = parts.next() else { return nil }
        self.init(started: started, kind: kind, &parts) { Self.text($0) }
    }

    /// What of a run's hash it takes to list it.
    static let fields = ["state", "ended", "started", "kind", "about"]

    /// The entry of a run whose hash has these fields.
    init?(id: String, _ fields: [String: String]) {
        var parts = Parts(rest: Array((fields["about"] ?? "").utf8)[...])
        self.init(
            started: fields["started"].flatMap { Int($0) } ?? 0, kind: Array((fields["kind"] ?? "").utf8)[...], &parts
        ) { _ in id }
    }

    private init?(started: Int, kind: ArraySlice<UInt8>, _ parts: inout Parts, id: (ArraySlice<UInt8>) -> String?) {
        guard let taskCount = parts.number(), let retention = parts.number(), let labelCount = parts.number(),
            labelCount >= 0, let name = parts.text()
        else { return nil }
        var labels: [String: String] = [:]
        for _ in 0..<labelCount {
            guard let label = parts.next() else { return nil }
            guard let sign = label.firstIndex(of: UInt8(ascii: "=")),
                let key = Self.text(label[..<sign]), let value = Self.text(label[(sign + 1)...])
            else { continue }
            labels[key] = value
        }
        guard let id = id(parts.rest) else { return nil }
        self.id = id
        self.started = started
        isReleaseRecorded = kind.elementsEqual(CollectionOfOne(UInt8(ascii: "r")))
        self.taskCount = max(0, taskCount)
        self.retention = retention
        self.name = name
        self.labels = labels
    }

    private static func text(_ bytes: ArraySlice<UInt8>) -> String? {
        guard let span = try? UTF8Span(validating: bytes.span) else { return nil }
        return String(copying: span)
    }

    private struct Parts {
        var rest: ArraySlice<UInt8>

        mutating func next() -> ArraySlice<UInt8>? {
            let end = rest.firstIndex(of: separator) ?? rest.endIndex
            if rest.isEmpty { return nil }
            let part = rest[..<end]
            rest = end < rest.endIndex ? rest[(end + 1)...] : rest[end...]
            return part
        }

        mutating func text() -> String? {
            next().flatMap { RunEntry.text($0) }
        }

        mutating func number() -> Int? {
            guard let part = next(), 1...15 ~= part.count else { return nil }
            var number = 0
            for byte in part {
                guard UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte else { return nil }
                number = number * 10 + Int(byte - UInt8(ascii: "0"))
            }
            return number
        }
    }

    func summary(_ state: RunState, ended: Double?) -> RunSummary {
        RunSummary(
            id: id, name: name, labels: labels, state: state, started: Date(milliseconds: Double(started)),
            ended: ended.map { Date(milliseconds: $0) }, taskCount: taskCount)
    }

    /// What a run is about that begins.
    static func about(_ beginning: RunStep.Beginning) -> String {
        let total = beginning.tasks.reduce(0) { $0 + $1.count }
        let retention = max(.milliseconds(1), beginning.retention).redisMilliseconds
        let parts = ["\(total)", "\(retention)", "\(beginning.labels.count)", beginning.name] + labels(beginning)
        // A name without a separator behind it would be the end.
        return parts.map { $0 + "\u{1F}" }.joined()
    }

    /// What the keys end with of the lists that it is in for its name and labels.
    static func lists(_ beginning: RunStep.Beginning) -> [String] {
        let lists = labels(beginning).map { ".label.\($0)" }
        return beginning.name.isEmpty ? lists : [".name.\(beginning.name)"] + lists
    }

    private static func labels(_ beginning: RunStep.Beginning) -> [String] {
        beginning.labels.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
    }
}
