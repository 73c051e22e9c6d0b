import CRawFiles
import Foundation

/// The plain loop in C, in a directory of its own.
final class RawFiles {
    struct Failure: Error {}

    private let directory: Int32
    private var bytes: [UInt8]
    private var next = 0

    init(_ path: String, size: Int) throws {
        directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        bytes = SampleContent(size: size).make()
        guard directory >= 0 else { throw Failure() }
    }

    deinit {
        close(directory)
    }

    func store(_ count: Int, synced: Bool, directorySynced: Bool) throws {
        let stored = raw_files_store(
            directory, &bytes, bytes.count, next, count, synced ? 1 : 0, directorySynced ? 1 : 0)
        guard stored == count else { throw Failure() }
        next += count
    }

    /// Reads the first files that were stored.
    func load(_ count: Int) throws {
        guard raw_files_load(directory, &bytes, bytes.count, 0, count) == count else { throw Failure() }
    }
}
