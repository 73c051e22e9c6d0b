import Dramatiq
import DramatiqWorkflow

#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// What operators ask for. None of it makes a file younger.
extension ContentFiles {
    /// How many contents make a page, but for the rest of their directory.
    private static let pageSize = 1000

    /// What is in some of the directories in which files lie.
    ///
    /// - Parameter leaf: the number of the first one.
    /// - Throws: ``FileStorageError`` if the outermost directory can't be read. `CancellationError`.
    func contents(
        from leaf: Int,
        _ cancellation: Cancellation
    ) throws -> (page: StoredContentPage, nextLeaf: Int?) {
        var page = StoredContentPage()
        var leaf = leaf
        let now = FileDate.now
        while leaf < FanOut.leaves.upperBound, page.contents.count < Self.pageSize {
            try visitDirectories("list", in: leaf..<leaf + 1) {
                page.failures.append($0.storageFailure)
            } _: { directory, outer, inner in
                let entries = try entries(of: directory, outer, inner, "list", cancellation) {
                    page.failures.append($0.storageFailure)
                }
                for entry in entries {
                    switch entry.kind {
                    case .content(let digest): page.contents.append(StoredContent(digest, entry.status, now))
                    case .temporary: break
                    case .foreign, .irregular: page.foreignCount += 1
                    }
                }
            }
            leaf += 1
        }
        return (page, leaf < FanOut.leaves.upperBound ? leaf : nil)
    }

    /// What is known of a file; `nil` if it isn't there.
    func stored(_ digest: ContentDigest) throws(FileStorageError) -> StoredContent? {
        do throws(FileStorageError) {
            let status = try places.open(digest, "look at").status(of: digest.hexadecimal, "look at")
            guard status.isRegular else { throw .notRegular("look at", places.path(of: digest)) }
            return StoredContent(digest, status, .now)
        } catch {
            if error.code == .missing { return nil }
            throw error
        }
    }

    /// A file's content; `nil` if it isn't there.
    func content(_ digest: ContentDigest) throws(FileStorageError) -> [UInt8]? {
        do throws(FileStorageError) {
            let directory = try places.open(digest, "load")
            return try content(of: directory.open(digest.hexadecimal, O_RDONLY, "load"), digest)
        } catch {
            if error.code == .missing { return nil }
            throw error
        }
    }
}

extension StoredContent {
    fileprivate init(_ digest: ContentDigest, _ status: FileStatus, _ now: FileDate) {
        self.init(name: digest.name.text, size: status.size, age: now - status.modified)
    }
}
