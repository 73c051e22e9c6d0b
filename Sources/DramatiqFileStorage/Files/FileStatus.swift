import Dramatiq

#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// What the system knows about a file.
struct FileStatus {
    let isRegular: Bool
    /// Whether it is a symbolic link.
    let isLink: Bool
    let isDirectory: Bool
    /// In bytes.
    let size: Int
    /// Who may do what, with the bits for `setuid`, `setgid` and `sticky`.
    let permissions: mode_t
    let owner: uid_t
    /// How many names it has.
    let links: Int
    let group: gid_t
    let modified: FileDate

    init(_ status: stat) {
        isRegular = status.st_mode & S_IFMT == S_IFREG
        isLink = status.st_mode & S_IFMT == S_IFLNK
        isDirectory = status.st_mode & S_IFMT == S_IFDIR
        size = Int(status.st_size)
        permissions = status.st_mode & 0o7777
        owner = status.st_uid
        links = Int(status.st_nlink)
        group = status.st_gid
        #if canImport(Darwin)
            modified = FileDate(status.st_mtimespec)
        #else
            modified = FileDate(status.st_mtim)
        #endif
    }
}

/// A moment as file systems keep it.
struct FileDate: Comparable {
    private var nanoseconds: Int

    init(_ time: timespec) {
        nanoseconds = Int(time.tv_sec) &* 1_000_000_000 &+ Int(time.tv_nsec)
    }

    /// The moment as the system takes it.
    var time: timespec {
        timespec(tv_sec: nanoseconds / 1_000_000_000, tv_nsec: nanoseconds % 1_000_000_000)
    }

    /// By this machine's clock.
    static var now: FileDate {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return FileDate(time)
    }

    static func < (left: FileDate, right: FileDate) -> Bool { left.nanoseconds < right.nanoseconds }

    /// Later by a time; at most by a hundred years, which every file system can keep.
    static func + (date: FileDate, duration: Duration) -> FileDate {
        var later = date
        let milliseconds = min(max(0, duration.milliseconds), 100 * 365 * 86_400_000)
        later.nanoseconds = date.nanoseconds.addingReportingOverflow(milliseconds * 1_000_000).partialValue
        return later
    }

    static func - (left: FileDate, right: FileDate) -> Duration {
        .nanoseconds(left.nanoseconds.subtractingReportingOverflow(right.nanoseconds).partialValue)
    }
}
