import CommandLineSupport
import Dramatiq

/// What the tasks find out about single files. Blocks.
enum FileMeasurement {
    /// A file's hash, and what tells the content that was hashed from a later one.
    static func checksum(
        of path: FilePath,
        in root: FilePath,
        _ cancellation: Cancellation
    ) throws -> (digest: SHA256.Digest, stamp: FileStamp) {
        var hash = SHA256()
        let stamp = try FileContent.read(path, in: root, cancellation) { hash.update($0) }
        return (hash.finish(), stamp)
    }

    /// How many bytes zlib makes of a file.
    ///
    /// - Parameter stamp: what the content has to be.
    static func compressedSize(
        of path: FilePath,
        in root: FilePath,
        expecting stamp: FileStamp,
        _ cancellation: Cancellation
    ) throws -> Int {
        var counter = try DeflateCounter()
        let read = try FileContent.read(path, in: root, cancellation) { try counter.add($0) }
        guard read == stamp else {
            throw FileError(operation: "compress", path: root.appending(path), reason: .changedMeanwhile)
        }
        return try counter.finish()
    }
}
