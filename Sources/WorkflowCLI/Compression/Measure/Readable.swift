import Foundation

/// Numbers for people, with three digits that count.
enum Readable {
    /// Bytes, in units of a thousand.
    static func size(_ bytes: Double) -> String {
        let units = ["B", "KB", "MB", "GB", "TB"]
        var value = bytes
        var unit = 0
        // 999.5 would be shown as 1000.
        while value >= 999.5, unit < units.count - 1 {
            value /= 1000
            unit += 1
        }
        return "\(unit == 0 ? String(Int(value.rounded())) : digits(value)) \(units[unit])"
    }

    static func time(_ duration: Duration) -> String {
        let microseconds = duration / .microseconds(1)
        return microseconds >= 999.5 ? "\(digits(microseconds / 1000)) ms" : "\(digits(microseconds)) µs"
    }

    /// A part of a whole.
    static func ratio(_ ratio: Double) -> String {
        String(format: ratio < 0.0995 ? "%.2f %%" : "%.1f %%", ratio * 100)
    }

    private static func digits(_ value: Double) -> String {
        String(format: value < 9.995 ? "%.2f" : value < 99.95 ? "%.1f" : "%.0f", value)
    }
}
