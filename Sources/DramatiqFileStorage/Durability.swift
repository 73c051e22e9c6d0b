/// What stored content survives once its reference was returned. It is never visible in part, either way.
public struct Durability: Sendable, Hashable {
    private enum Level {
        case powerFailure
        case processFailure
    }

    private let level: Level

    /// Everything, including a loss of power: the content, its name and new directories are on the disk (`fsync`, on
    /// Apple's systems `F_FULLFSYNC`).
    public static let powerFailure = Durability(level: .powerFailure)

    /// The end of any process, and no more: the system writes when it likes. A loss of power can leave workflows whose
    /// rest is missing or damaged, which is found out when it is loaded. Faster by the time that the disk takes.
    public static let processFailure = Durability(level: .processFailure)
}
