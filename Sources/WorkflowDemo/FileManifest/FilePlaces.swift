import CommandLineSupport
import Foundation

/// Where the demo reads and writes, as absolute paths without symbolic links in their directories.
struct FilePlaces: Sendable {
    /// The directory that is looked through.
    let input: FilePath
    let manifest: FilePath
    /// The table of sizes, beside the manifest.
    let sizes: FilePath
    /// Whether the directory of both is this run's own.
    private let isTemporary: Bool

    /// Blocks.
    ///
    /// - Parameter output: where to write the manifest; a new temporary directory, which ``prepare()`` makes, if that is
    ///   `nil`.
    /// - Throws: ``FileError`` if `input` is no directory, or if no file can be written at `output`.
    init(input: FilePath, output: FilePath?) throws(FileError) {
        self.input = try input.resolved()
        guard case .directory = FileKind(try self.input.status()) else {
            throw FileError(operation: "read", path: input, reason: .notDirectory)
        }
        isTemporary = output == nil
        if let output {
            manifest = try Self.outputPath(output)
        } else {
            manifest = try Self.temporaryPath()
        }
        sizes = manifest.appending(suffix: ".sizes.tsv")
    }

    private static func outputPath(_ output: FilePath) throws(FileError) -> FilePath {
        let directory = try output.parent.resolved()
        let path = directory.appending(output.name)
        let names: [FilePath] = [FilePath(""), FilePath("."), FilePath("..")]
        guard !names.contains(output.name) else {
            throw FileError(operation: "write", path: output, reason: .isDirectory)
        }
        guard let status = try? path.status() else { return path }
        switch FileKind(status) {
        case .regular: return try path.resolved()
        case .directory: throw FileError(operation: "write", path: output, reason: .isDirectory)
        // The manifest is read again to be checked.
        case .link, .other: throw FileError(operation: "write", path: output, reason: .notRegularFile)
        }
    }

    /// In a directory that doesn't exist yet, so that nothing that is there already is overwritten.
    private static func temporaryPath() throws(FileError) -> FilePath {
        let variable = getenv("TMPDIR").map { String(cString: $0) } ?? ""
        let parent = try FilePath(variable.isEmpty ? "/tmp" : variable).resolved()
        let name = "dramatiq-workflow-demo-" + String(UInt64.random(in: .min ... .max), radix: 36)
        return parent.appending(FilePath(name)).appending(FilePath("manifest.sha256"))
    }

    /// Makes the temporary directory, if that is where the output goes. Blocks.
    func prepare() throws(FileError) {
        guard isTemporary else { return }
        let directory = manifest.parent
        // Others may write beside it, so the directory must be new and for nobody else.
        guard directory.withCString({ mkdir($0, 0o700) }) == 0 else { throw .lastCall("make", directory) }
    }

    /// What must not be among the files: the demo's own output, also that of an earlier run.
    func excluded() throws(FileError) -> Set<FileTree.Place> {
        let directory = FileIdentity(try manifest.parent.status())
        return [
            FileTree.Place(directory: directory, name: manifest.name),
            FileTree.Place(directory: directory, name: sizes.name),
        ]
    }

    /// The command with which anybody can check the manifest.
    var checkCommand: String {
        "(cd \(Self.quoted(input)) && sha256sum --strict -c \(Self.quoted(manifest)))"
    }

    /// A path as a POSIX shell reads it.
    private static func quoted(_ path: FilePath) -> String {
        let text = String(decoding: path.bytes, as: UTF8.self)
        let isPlain = text.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "/"), UInt8(ascii: "."), UInt8(ascii: "-"),
                UInt8(ascii: "_"):
                true
            default: false
            }
        }
        if isPlain { return text }
        return "'" + text.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''") + "'"
    }
}
