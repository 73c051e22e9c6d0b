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

    /// The path of the outermost directory.
    var root: String { place.text }
    private let place: StoragePath
    let durability: Durability
    /// Which directories this process knows to be on the disk with all that lead to them, by their digits. Another
    /// process may have made one a moment ago and not have come to that yet. The outermost is the empty string.
    private let durable = Mutex<Set<String>>([])

    init(root: StoragePath, durability: Durability) {
        place = root
        self.durability = durability
    }

    func path(of digest: ContentDigest) -> String {
        let (outer, inner) = digest.fanOut
        return "\(root)/\(outer)/\(inner)/\(digest.hexadecimal)"
    }

    /// The directory for a file, which has to be there.
    func open(_ outer: String, _ inner: String, _ operation: String) throws(FileStorageError) -> Descriptor {
        try openRoot(operation).openDirectory(outer, operation).openDirectory(inner, operation)
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
            if durability == .processFailure || durable.withLock({ $0.contains(outer + inner) }) { return leaf }
        } catch {
            guard error.code == .missing else { throw error }
        }
        let root = try openOrMakeRoot(operation)
        try makeDirectory(outer, in: root, operation)
        let middle = try root.openDirectory(outer, operation)
        try makeDirectory(inner, in: middle, operation)
        let leaf = try middle.openDirectory(inner, operation)
        durable.withLock { _ = $0.insert(outer + inner) }
        return leaf
    }

    private func openOrMakeRoot(_ operation: String) throws(FileStorageError) -> Descriptor {
        if durable.withLock({ $0.contains("") }) {
            do throws(FileStorageError) {
                return try openRoot(operation)
            } catch {
                guard error.code == .missing else { throw error }
                // Somebody has removed it with all that was in it.
                durable.withLock { $0 = [] }
            }
        }
        try makeRoot(operation)
        let root = try openRoot(operation)
        durable.withLock { _ = $0.insert("") }
        return root
    }

    func openRoot(_ operation: String) throws(FileStorageError) -> Descriptor {
        try place.check(operation)
        return try .openDirectory(root, operation)
    }

    private func makeDirectory(
        _ name: String,
        in parent: borrowing Descriptor,
        _ operation: String
    ) throws(FileStorageError) {
        guard mkdirat(parent.number, name, 0o777) == 0 || errno == EEXIST else {
            throw .lastCall(operation, parent.path + "/" + name)
        }
        if durability == .powerFailure { try parent.synchronize(operation) }
    }

    /// Makes the outermost directory and those on the way to it.
    private func makeRoot(_ operation: String) throws(FileStorageError) {
        try place.check(operation)
        var missing: [String] = []
        var path = root
        while true {
            if mkdir(path, 0o777) == 0 { break }
            if errno == ENOENT, let slash = path.lastIndex(of: "/"), slash != path.startIndex {
                missing.append(path)
                path = String(path[..<slash])
                continue
            }
            guard errno == EEXIST else { throw .lastCall(operation, path) }
            break
        }
        try synchronizeParent(of: path, operation)
        for path in missing.reversed() {
            guard mkdir(path, 0o777) == 0 || errno == EEXIST else { throw .lastCall(operation, path) }
            try synchronizeParent(of: path, operation)
        }
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
