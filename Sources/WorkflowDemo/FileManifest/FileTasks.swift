import CommandLineSupport
import Dramatiq
import DramatiqWorkflow

/// The tasks that make a manifest: one looks for files and starts a workflow over them.
///
/// Running any of them again does the same again, so a retry is harmless.
struct FileTasks: Sendable {
    let scan: TaskActor<Void>
    let checksum: TaskActor<String, Void>
    let compressedSize: TaskActor<String, Void>
    let writeManifest: TaskActor<Void>

    /// What the actors' names are, for those who count them.
    enum Name {
        static let scan = "scan"
        static let checksum = "checksum"
        static let compressedSize = "compressed_size"
        static let writeManifest = "write_manifest"
    }

    /// A message names a file in a way that none of these tasks uses.
    struct InvalidArgument: Error, CustomStringConvertible {
        let argument: String

        var description: String { "'\(PrintableText.escape(argument))' names no file" }
    }

    /// Large files take their time, so the usual limit of ten minutes is lifted.
    private static let options: [ActorOption] = [.timeLimit(.seconds(7 * 86_400))]

    init(places: FilePlaces, results: FileResults, recorder: EventRecorder, broker: Broker) {
        let checksum = TaskActor(Name.checksum, options: Self.options) { (argument: String) in
            let path = try Self.path(argument)
            let (digest, stamp) = try await BlockingWork.run { cancellation in
                try FileMeasurement.checksum(of: path, in: places.input, cancellation)
            }
            await results.add(digest, stamp, for: path)
        }
        let compressedSize = TaskActor(Name.compressedSize, options: Self.options) { (argument: String) in
            let path = try Self.path(argument)
            let stamp = try await results.stamp(of: path)
            let size = try await BlockingWork.run { cancellation in
                try FileMeasurement.compressedSize(of: path, in: places.input, expecting: stamp, cancellation)
            }
            await results.add(compressedSize: size, for: path)
        }
        let writeManifest = TaskActor(Name.writeManifest, options: Self.options) {
            let (manifest, sizes) = try await results.all()
            try await BlockingWork.run { _ in
                try AtomicFile.write(SizeTable.encoded(sizes), to: places.sizes)
                try AtomicFile.write(manifest.encoded(), to: places.manifest)
            }
            await results.noteManifestWritten()
            recorder.record(.manifestWritten(places.manifest, files: manifest.entries.count))
        }
        // Not repeated: a directory that can't be read is reported at once.
        let scan = TaskActor(Name.scan, options: Self.options + [.maxRetries(0)]) {
            let tree = try await BlockingWork.run { cancellation in
                try FileTree(of: places.input, excluding: places.excluded(), cancellation)
            }
            await results.add(tree)
            for skipped in tree.skipped {
                recorder.record(.fileSkipped(skipped.path, reason: "\(skipped.reason)"))
            }
            recorder.record(.filesFound(count: tree.files.count, bytes: tree.totalSize))
            try await Workflow(broker: broker) {
                Chain {
                    Group {
                        for file in tree.files {
                            Chain {
                                checksum.message(file.path.argument)
                                compressedSize.message(file.path.argument)
                            }
                        }
                    }
                    writeManifest.message()
                }
            }.run()
        }
        (self.scan, self.checksum, self.compressedSize, self.writeManifest) =
            (scan, checksum, compressedSize, writeManifest)
    }

    private static func path(_ argument: String) throws(InvalidArgument) -> FilePath {
        guard let path = FilePath(argument: argument) else { throw InvalidArgument(argument: argument) }
        return path
    }
}
