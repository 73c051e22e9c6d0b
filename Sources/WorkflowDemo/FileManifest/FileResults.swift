import CommandLineSupport

/// Collects what the tasks find out, since tasks of a workflow pass nothing on to each other.
actor FileResults {
    /// A step that comes later found that an earlier one has left nothing.
    struct Missing: Error, CustomStringConvertible {
        let path: FilePath?

        var description: String {
            path.map { "There is no result for '\($0)'" } ?? "The directory was not looked through"
        }
    }

    private struct Checksum {
        let digest: SHA256.Digest
        let stamp: FileStamp
    }

    private(set) var tree: FileTree?
    private(set) var isManifestWritten = false
    private var checksums: [FilePath: Checksum] = [:]
    private var compressedSizes: [FilePath: Int] = [:]

    func add(_ tree: FileTree) {
        self.tree = tree
    }

    func add(_ digest: SHA256.Digest, _ stamp: FileStamp, for path: FilePath) {
        checksums[path] = Checksum(digest: digest, stamp: stamp)
    }

    func add(compressedSize: Int, for path: FilePath) {
        compressedSizes[path] = compressedSize
    }

    func noteManifestWritten() {
        isManifestWritten = true
    }

    /// What told the hashed content of a file from a later one.
    func stamp(of path: FilePath) throws(Missing) -> FileStamp {
        guard let checksum = checksums[path] else { throw Missing(path: path) }
        return checksum.stamp
    }

    /// Everything about all files, in the order of their paths.
    func all() throws(Missing) -> (manifest: Manifest, sizes: [SizeTable.Row]) {
        guard let tree else { throw Missing(path: nil) }
        var manifest = Manifest([])
        var sizes: [SizeTable.Row] = []
        for file in tree.files {
            guard let checksum = checksums[file.path], let compressedSize = compressedSizes[file.path] else {
                throw Missing(path: file.path)
            }
            manifest.entries.append(Manifest.Entry(digest: checksum.digest, path: file.path))
            sizes.append(
                SizeTable.Row(path: file.path, size: checksum.stamp.size, compressedSize: compressedSize))
        }
        return (manifest, sizes)
    }
}
