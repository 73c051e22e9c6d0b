import CommandLineSupport

/// Checks a manifest on the disk against the files, without anything that the workflow has found out.
struct ManifestVerification: Sendable {
    let places: FilePlaces
    /// How many files are read at the same time.
    let concurrency: Int

    /// Reads the manifest and every file in it.
    ///
    /// - Parameters:
    ///   - expected: the files that the manifest has to list.
    ///   - verified: is told of every file that is as it should be.
    /// - Throws: ``DemoFailure/manifestMismatch(_:_:)``, ``FileError`` or ``Manifest/FormatError`` for the manifest.
    func run(expecting expected: [FilePath], verified: @escaping @Sendable (FilePath) -> Void) async throws {
        let path = places.manifest
        let manifest = try await BlockingWork.run { cancellation in
            try Manifest(parsing: try FileContent.all(of: path, cancellation))
        }
        var differences = Self.compare(manifest.entries.map(\.path), expected)
        differences += try await check(manifest.entries, verified)
        guard differences.isEmpty else { throw DemoFailure.manifestMismatch(path, differences) }
    }

    private static func compare(_ listed: [FilePath], _ expected: [FilePath]) -> [String] {
        let listedOnce = Set(listed)
        let missing = Set(expected).subtracting(listedOnce).map { "'\($0)' is not listed" }
        let unknown = listedOnce.subtracting(expected).map { "'\($0)' is listed and was not found before" }
        let repeated = listed.count == listedOnce.count ? [] : ["Some files are listed more than once"]
        return missing.sorted() + unknown.sorted() + repeated
    }

    private func check(
        _ entries: [Manifest.Entry],
        _ verified: @escaping @Sendable (FilePath) -> Void
    ) async throws -> [String] {
        try await withThrowingTaskGroup(of: String?.self) { group in
            var differences: [String] = []
            var rest = entries[...]
            for entry in rest.prefix(concurrency) { group.addTask { try await check(entry, verified) } }
            rest = rest.dropFirst(concurrency)
            while let difference = try await group.next() {
                if let difference { differences.append(difference) }
                if let entry = rest.popFirst() { group.addTask { try await check(entry, verified) } }
            }
            return differences.sorted()
        }
    }

    /// What is wrong with an entry.
    private func check(
        _ entry: Manifest.Entry,
        _ verified: @escaping @Sendable (FilePath) -> Void
    ) async throws -> String? {
        do {
            let (digest, _) = try await BlockingWork.run { cancellation in
                try FileMeasurement.checksum(of: entry.path, in: places.input, cancellation)
            }
            guard digest == entry.digest else {
                return "'\(entry.path)' has the hash \(digest), the manifest says \(entry.digest)"
            }
            verified(entry.path)
            return nil
        } catch let error as FileError {
            return "\(error)"
        }
    }
}
