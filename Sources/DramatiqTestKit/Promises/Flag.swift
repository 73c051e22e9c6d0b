import Synchronization

/// Something that has happened, or not yet, as several tasks see it.
final class Flag: Sendable {
    private let value = Mutex(false)
    var isSet: Bool { value.withLock(\.self) }
    func set() { value.withLock { $0 = true } }
}
