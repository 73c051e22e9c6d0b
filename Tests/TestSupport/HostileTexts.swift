import Dramatiq

#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Texts that cost far more than their bytes when they are taken for more than bytes, from `Fixtures/hostile/texts.json`.
public struct HostileText: Sendable, CustomStringConvertible {
    public let name: String
    /// What is repeated.
    let unit: String

    public static let all: [HostileText] = ((try? Fixtures.rows("hostile/texts.json")) ?? []).compactMap { row in
        guard let row = row.objectValue, let name = row["name"]?.stringValue, let unit = row["text"]?.stringValue
        else { return nil }
        return HostileText(name: name, unit: unit)
    }

    /// Marks that normalization takes the square of their number to sort.
    public static let marks = all.first { $0.name == "marks" } ?? HostileText(name: "?", unit: "")

    public var description: String { name }

    /// Whether it has to be joined, sorted or looked at in both directions by who takes it for more than bytes.
    public var isCostly: Bool {
        unit.unicodeScalars.contains { $0.properties.canonicalCombiningClass != .notReordered || $0.value > 0xFFFF }
            || unit.unicodeScalars.contains { $0.properties.isJoinControl } || unit.unicodeScalars.contains("\u{1161}")
    }

    /// As many repetitions as have about so many bytes.
    public func text(bytes: Int) -> String {
        String(repeating: unit, count: max(1, bytes / max(1, unit.utf8.count)))
    }
}

/// A message with a place for a text, from `Fixtures/hostile/places.json`.
public struct HostilePlace: Sendable, CustomStringConvertible {
    public let name: String
    private let parts: [[UInt8]]

    public static let all: [HostilePlace] = ((try? Fixtures.rows("hostile/places.json")) ?? []).compactMap { row in
        guard let row = row.objectValue, let name = row["name"]?.stringValue,
            let message = row["message"]?.stringValue
        else { return nil }
        let parts = message.utf8.split(separator: UInt8(ascii: "@"), omittingEmptySubsequences: false)
        return HostilePlace(name: name, parts: parts.map { Array($0) })
    }

    public var description: String { name }

    /// The message with a text in the place.
    public func message(_ text: String) -> [UInt8] {
        // As it is, but for what JSON must escape.
        guard
            text.utf8.prefix(64).contains(where: { $0 < 0x20 || $0 == UInt8(ascii: "\"") || $0 == UInt8(ascii: "\\") })
        else { return Array(parts.joined(separator: Array(text.utf8))) }
        var written: [UInt8] = []
        written.reserveCapacity(text.utf8.count)
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"): written += [UInt8(ascii: "\\"), byte]
            case 0..<0x20: written += "\\u00\(byte < 16 ? "0" : "")\(String(byte, radix: 16))".utf8
            default: written.append(byte)
            }
        }
        return Array(parts.joined(separator: written))
    }
}

/// What a piece of work costs this thread, in nanoseconds of the processor: what others do meanwhile doesn't count.
public func processorTime(_ body: () throws -> Void) rethrows -> Int {
    let start = threadTime()
    try body()
    return threadTime() - start
}

private func threadTime() -> Int {
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return time.tv_sec * 1_000_000_000 + time.tv_nsec
}
