import Synchronization

#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// The directories in which files lie: 16 with 16 in each, after the first two digits of their names. A million files
/// are 4 000 in each directory, and the directories are made and synchronized once and not for nearly every file.
final class FanOut: Sendable {
    static let digits = (0..<16).map { String($0, radix: 16) }
    /// The numbers of the directories in which files lie: their two digits.
    static let leaves = 0..<256

    /// The path of the outermost directory.
    var root: String { place.text }
    private let place: StoragePath
    let durability: Durability
    let access: StorageAccess
    private let known = Mutex(Known())

    /// What this process knows of directories, by their digits. The outermost is the empty string.
    private struct Known {
        /// Those that are on the disk with all that lead to them. Another process may have made one a moment ago and not
        /// have come to that yet.
        var durable: Set<String> = []
        /// Those that have the permissions that they are to have.
        var settled: Set<String> = []
    }

    init(root: StoragePath, durability: Durability, access: StorageAccess) {
        place = root
        self.durability = durability
        self.access = access
    }

    func path(of digest: ContentDigest) -> String {
        let (outer, inner) = digest.fanOut
        return "\(root)/\(outer)/\(inner)/\(digest.hexadecimal)"
    }

    /// The directory for a file, which has to be there.
    func open(_ outer: String, _ inner: String, _ operation: String) throws(FileStorageError) -> Descriptor {
        let root = try openRoot(operation)
        let middle = try root.openDirectory(outer, operation)
        settle(outer) { access.settle(middle, in: root) }
        let leaf = try middle.openDirectory(inner, operation)
        settle(outer + inner) { access.settle(leaf, in: middle) }
        return leaf
    }

    func open(_ digest: ContentDigest, _ operation: String) throws(FileStorageError) -> Descriptor {
        let (outer, inner) = digest.fanOut
        return try open(outer, inner, operation)
    }

    /// The directory for a file, made if need be, so that what is synchronized in it can't be lost with it.
    func openOrMake(_ digest: ContentDigest, _ operation: String) throws(FileStorageError) -> Descriptor {
        let (outer, inner) = digest.fanOut
        do throws(FileStorageError) {
            let leaf = try open(outer, inner, operation)
            if durability == .processFailure || isDurable(outer + inner) { return leaf }
        } catch {
            guard error.code == .missing else { throw error }
        }
        let root = try openOrMakeRoot(operation)
        let middle = try makeDirectory(outer, in: root, operation)
        let leaf = try makeDirectory(inner, in: middle, operation)
        known.withLock { _ = $0.durable.insert(outer + inner) }
        return leaf
    }

    private func isDurable(_ digits: String) -> Bool { known.withLock { $0.durable.contains(digits) } }

    /// Runs a closure for a directory that is used for the first time.
    private func settle(_ digits: String, _ body: () -> Void) {
        if known.withLock({ $0.settled.insert(digits).inserted }) { body() }
    }

    private func openOrMakeRoot(_ operation: String) throws(FileStorageError) -> Descriptor {
        if isDurable("") {
            do throws(FileStorageError) {
                return try openRoot(operation)
            } catch {
                guard error.code == .missing else { throw error }
                // Somebody has removed it with all that was in it.
                known.withLock { $0 = Known() }
            }
        }
        try makeRoot(operation)
        let root = try openRoot(operation)
        known.withLock { _ = $0.durable.insert("") }
        return root
    }

    func openRoot(_ operation: String) throws(FileStorageError) -> Descriptor {
        try place.check(operation)
        let directory = try Descriptor.openDirectory(root, operation)
        settle("") { access.settleNamed(directory) }
        return directory
    }

    private func makeDirectory(
        _ name: String,
        in parent: borrowing Descriptor,
        _ operation: String
    ) throws(FileStorageError) -> Descriptor {
        let isNew = mkdirat(parent.number, name, 0o700) == 0
        guard isNew || errno == EEXIST else { throw .lastCall(operation, parent.path + "/" + name) }
        let directory = try parent.openDirectory(name, operation)
        access.settle(directory, in: parent, isNew: isNew)
        if durability == .powerFailure { try parent.synchronize(operation) }
        return directory
    }

    /// Makes the outermost directory and those on the way to it, all with the same permissions.
    private func makeRoot(_ operation: String) throws(FileStorageError) {
        try place.check(operation)
        var missing: [String] = []
        var path = root
        while try !makeNamed(path, operation) {
            guard let slash = path.lastIndex(of: "/"), slash != path.startIndex else {
                throw FileStorageError(systemError: ENOENT, operation, path)
            }
            missing.append(path)
            path = String(path[..<slash])
        }
        try synchronizeParent(of: path, operation)
        for path in missing.reversed() {
            guard try makeNamed(path, operation) else { throw FileStorageError(systemError: ENOENT, operation, path) }
            try synchronizeParent(of: path, operation)
        }
    }

    /// Makes a directory unless there is one.
    ///
    /// - Returns: whether there is a directory for it to be in.
    private func makeNamed(_ path: String, _ operation: String) throws(FileStorageError) -> Bool {
        guard mkdir(path, 0o700) == 0 else {
            guard errno == EEXIST || errno == ENOENT else { throw .lastCall(operation, path) }
            return errno == EEXIST
        }
        let directory = try Descriptor.openDirectory(path, operation)
        access.settle(directory, in: directory, isNew: true)
        return true
    }

    private func synchronizeParent(of path: String, _ operation: String) throws(FileStorageError) {
        guard durability == .powerFailure, let slash = path.lastIndex(of: "/") else { return }
        let parent = slash == path.startIndex ? "/" : String(path[..<slash])
        do throws(FileStorageError) {
            try Descriptor.openDirectory(parent, operation).synchronize(operation)
        } catch {
            // A directory that may be written and not read can't be opened.
            guard error.code == .permissionDenied else { throw error }
        }
    }
}
