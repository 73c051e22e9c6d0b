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
    /// In bytes.
    let size: Int
    let modified: FileDate

    init(_ status: stat) {
        isRegular = status.st_mode & S_IFMT == S_IFREG
        isLink = status.st_mode & S_IFMT == S_IFLNK
        size = Int(status.st_size)
        #if canImport(Darwin)
            modified = FileDate(status.st_mtimespec)
        #else
            modified = FileDate(status.st_mtim)
        #endif
    }
}

/// A moment as file systems keep it.
struct FileDate: Comparable {
    private let nanoseconds: Int

    init(_ time: timespec) {
        nanoseconds = Int(time.tv_sec) &* 1_000_000_000 &+ Int(time.tv_nsec)
    }

    /// By this machine's clock.
    static var now: FileDate {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return FileDate(time)
    }

    static func < (left: FileDate, right: FileDate) -> Bool { left.nanoseconds < right.nanoseconds }

    static func - (left: FileDate, right: FileDate) -> Duration {
        .nanoseconds(left.nanoseconds.subtractingReportingOverflow(right.nanoseconds).partialValue)
    }
}
