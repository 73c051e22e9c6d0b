#if Plugins
    import CommandLineSupport
    import Dramatiq
    import DramatiqFileStorage
    import DramatiqWorkflow

    /// Samples from files, and from all files below directories.
    ///
    /// A file holds a workflow's definition, a transcript with one (as in `Fixtures/workflows/wire`), an encoded message,
    /// or an encoded message on each line.
    struct FileSampleSource: SampleSource {
        /// The most bytes of a file: as many as the largest content of a storage has.
        static let maxSize = StorageDirectory.defaultMaxSize

        let paths: [FilePath]
        /// Reads messages, compressed ones as well.
        let decoder: any MessageEncoder
        var maxSize = Self.maxSize

        /// - Throws: ``SampleError/noFiles``, `CancellationError`.
        func samples() async throws -> FoundSamples {
            var found = FoundSamples()
            for path in paths {
                let listing = try await BlockingWork.run { try Listing(path, $0) }
                found.problems += listing.problems
                for file in listing.files { try await read(file, into: &found) }
            }
            guard !found.samples.isEmpty || !found.problems.isEmpty else { throw SampleError.noFiles }
            return found
        }

        private func read(_ file: Listing.File, into found: inout FoundSamples) async throws {
            do {
                let bytes = try await BlockingWork.run { try InputFile.read(file.path, limit: maxSize, $0) }
                do {
                    let (content, problems) = try content(try CapturedBytes(bytes))
                    found.samples.append(Sample(name: file.name, content: content))
                    found.problems += problems.map { "\(file.path.named), \($0)" }
                } catch {
                    throw InputError(file.path, "is neither a workflow's definition nor messages", error)
                }
            } catch let error as CancellationError {
                throw error
            } catch {
                found.problems.append("\(error)")
            }
        }

        private func content(_ captured: CapturedBytes) throws -> (Sample.Content, problems: [String]) {
            guard captured.isObject, let object = try? JSONValue(parsing: captured.bytes).objectValue else {
                let (messages, problems) = try messages(captured)
                return (.messages(messages), problems)
            }
            if object["__type__"] != nil { return (.workflow(try WorkflowNode(.object(object))), []) }
            if let definition = object["definition"] { return (.workflow(try WorkflowNode(definition)), []) }
            return (.messages([try Message(object)]), [])
        }

        /// One message, or one on each line.
        private func messages(_ captured: CapturedBytes) throws -> ([Message], problems: [String]) {
            do {
                // Compressed bytes may hold line breaks.
                return ([try captured.read { try decoder.decode($0) }], [])
            } catch {
                let lines = captured.bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
                guard lines.count > 1, captured.isObject else { throw error }
                var messages: [Message] = []
                var problems: [String] = []
                for (index, line) in lines.enumerated() where line.contains(where: { $0 > UInt8(ascii: " ") }) {
                    do {
                        messages.append(try decoder.decode(Array(line)))
                    } catch {
                        problems.append("line \(index + 1) is no message: \(error)")
                    }
                }
                guard !messages.isEmpty else { throw error }
                return (messages, problems)
            }
        }
    }

    /// The files that a path stands for. Blocks.
    private struct Listing: Sendable {
        struct File: Sendable {
            let path: FilePath
            /// What the sample is called: without the ending that says what it is.
            let name: String
        }

        private(set) var files: [File] = []
        private(set) var problems: [String] = []

        /// - Throws: `CancellationError`.
        init(_ path: FilePath, _ cancellation: Cancellation) throws {
            do {
                guard path != .standardInput, FileKind(try path.status()) == .directory else {
                    add(path, name: path == .standardInput ? path.named : Self.name(path.name))
                    return
                }
                let tree = try FileTree(of: path, cancellation)
                for file in tree.files { add(path.appending(file.path), name: Self.name(file.path)) }
                problems += tree.skipped.map {
                    "\(FileError(operation: "read", path: path.appending($0.path), reason: $0.reason))"
                }
                try addLinks(of: tree, in: path)
            } catch let error as FileError {
                problems.append("\(error)")
            }
        }

        /// Files to which links lead, if they are not among the others. Links to directories could lead in a circle.
        private mutating func addLinks(of tree: FileTree, in root: FilePath) throws {
            var known = Set(tree.files.map(\.identity))
            for link in tree.links {
                let path = root.appending(link)
                do throws(FileError) {
                    let status = try path.status()
                    guard FileKind(status) == .regular, known.insert(FileIdentity(status)).inserted else { continue }
                    add(path, name: Self.name(link))
                } catch {
                    problems.append("\(error)")
                }
            }
        }

        private mutating func add(_ path: FilePath, name: String) {
            files.append(File(path: path, name: name))
        }

        private static func name(_ path: FilePath) -> String {
            let name = path.description
            let ending = [".json", ".jsonl", ".lz4", ".zlib"].first(where: name.hasSuffix)
            return ending.map { String(name.dropLast($0.count)) } ?? name
        }
    }

    /// Why there are no samples.
    enum SampleError: Error, CustomStringConvertible {
        case noFiles
        case noMessages

        var description: String {
            switch self {
            case .noFiles: "There are no files to read"
            case .noMessages: "There are no messages in the queues"
            }
        }
    }
#endif
