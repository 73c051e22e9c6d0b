#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Who may read and change what is in a storage directory, whatever the process's `umask` says.
///
/// Stored workflows hold the arguments of tasks, and whoever can open a directory's locks can hold them. What is there
/// already and belongs to the process's user gets the same permissions when it is used again. What a process of root makes
/// in another user's storage directory belongs to that user.
public struct StorageAccess: Sendable, Hashable {
    private enum Level {
        case owner
        case group
        case found
    }

    private let level: Level

    /// The user of the process alone: files have the permissions 0600 and directories 0700.
    public static let owner = StorageAccess(level: .owner)

    /// The directory's group as well: files have the permissions 0660 and directories 2770, so that what is made in them
    /// belongs to the group, too. Its members trust each other: each can change and remove what others have stored. All
    /// processes that use the directory need the same.
    public static let group = StorageAccess(level: .group)

    /// Changes nothing that is there, and makes files for those who may use the directory that they are in. For tools
    /// that look after a directory without knowing how it is used.
    package static let asFound = StorageAccess(level: .found)

    /// What a new file or directory gets, and what is there gets again; `nil` if that is not to be changed.
    func permissions(isDirectory: Bool) -> mode_t? {
        switch level {
        case .owner: isDirectory ? 0o700 : 0o600
        case .group: isDirectory ? 0o2770 : 0o660
        case .found: nil
        }
    }

    /// Gives a file or directory that was just made, or is used again, the permissions that it is to have. What belongs
    /// to others stays as it is, and so does what a file system has no permissions for.
    ///
    /// - Parameter isNew: whether this process has just made it.
    func settle(_ descriptor: borrowing Descriptor, in directory: borrowing Descriptor, isNew: Bool = false) {
        guard let status = try? descriptor.status("open"), status.owner == geteuid() else { return }
        // A file with another name besides may be none of the storage's.
        guard status.isDirectory || status.links == 1 else { return }
        var wanted = permissions(isDirectory: status.isDirectory)
        if isNew, let outer = try? directory.status("open") {
            wanted = wanted ?? outer.permissions & (status.isDirectory ? 0o2777 : 0o666)
            if status.owner == 0, outer.owner != 0 { _ = fchown(descriptor.number, outer.owner, outer.group) }
        }
        guard let wanted else { return }
        // What its owner has locked against themselves stays so; then only others lose something.
        let isWhole = status.permissions & 0o700 == wanted & 0o700
        let permissions = isWhole || isNew ? wanted : status.permissions & wanted
        if permissions != status.permissions { _ = fchmod(descriptor.number, permissions) }
    }

    /// The same for a file in a directory, which is opened only if its permissions are others.
    func settle(_ name: String, _ status: FileStatus, in directory: borrowing Descriptor) {
        guard status.isRegular, status.owner == geteuid(), let wanted = permissions(isDirectory: false),
            status.permissions != wanted, let file = try? directory.open(name, O_RDONLY, "open")
        else { return }
        settle(file, in: directory)
    }

    /// The same for a directory that somebody has named, and may use for other things as well.
    func settleNamed(_ directory: borrowing Descriptor) {
        guard let status = try? directory.status("open"), let names = try? directory.names("open") else { return }
        // Such as /tmp: it is meant to be used by all.
        if status.permissions & 0o1000 != 0 { return }
        if names.allSatisfy(FanOut.digits.contains) { return settle(directory, in: directory) }
        // Only that nobody else can put something in the place of what is in it.
        guard status.owner == geteuid(), let wanted = permissions(isDirectory: true) else { return }
        let permissions = status.permissions & (wanted | 0o7755)
        if permissions != status.permissions { _ = fchmod(directory.number, permissions) }
    }
}
