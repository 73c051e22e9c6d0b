#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Where a storage directory is, from the path that it was given.
struct StoragePath: Sendable {
    /// Absolute and without slashes at its end; as it was given if it can't be used.
    let text: String
    /// Why it can't be used.
    private let refusal: String?

    /// A relative path starts at the working directory of this moment, wherever the process goes later.
    init(_ given: String) {
        refusal = Self.refusal(of: given)
        guard refusal == nil else {
            text = given
            return
        }
        var path = given
        while path.count > 1, path.hasSuffix("/") { path.removeLast() }
        text =
            path.hasPrefix("/")
            ? path : (Self.workingDirectory.map { $0 == "/" ? "/" + path : $0 + "/" + path } ?? path)
    }

    /// - Throws: ``FileStorageError`` with the code `unusable` for a path that can't be meant, so that nothing is made
    ///   at a place where nobody would look for it.
    func check(_ operation: String) throws(FileStorageError) {
        if let refusal { throw FileStorageError(.unusable, operation, text, refusal) }
    }

    private static func refusal(of path: String) -> String? {
        if path.isEmpty { return "A path can't be empty" }
        if path.utf8.contains(0) { return "A path can't contain NUL" }
        if path.hasPrefix("~") || path.hasPrefix("$") {
            return
                "Only a shell replaces '\(path.prefix(1))' at the beginning: give the whole path, or put ./ before it "
                + "if the directory has this name"
        }
        if path.hasPrefix("file:") { return "It is a URL: give its path" }
        if !path.hasPrefix("/"), workingDirectory == nil { return "It starts at a working directory that is gone" }
        return nil
    }

    private static var workingDirectory: String? {
        guard let working = getcwd(nil, 0) else { return nil }
        defer { free(working) }
        let path = String(cString: working)
        // Linux answers with `(unreachable)…` for one outside of the root directory.
        return path.hasPrefix("/") ? path : nil
    }
}
