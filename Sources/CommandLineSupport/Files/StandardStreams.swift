extension FilePath {
    /// Standard input, where a file is to be read.
    package static let standardInput = FilePath("<standard input>")
    /// Standard output, where a file is to be written.
    package static let standardOutput = FilePath("<standard output>")

    /// A file to read as a person names it: `-` and the system's names for it are standard input, which may be of a kind
    /// that can't be opened by such a name.
    package init(input argument: String) {
        let isStream = ["-", "/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"].contains(argument)
        self = isStream ? .standardInput : FilePath(argument)
    }

    /// A file to write as a person names it: `-` and the system's names for it are standard output.
    package init(output argument: String) {
        let isStream = ["-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"].contains(argument)
        self = isStream ? .standardOutput : FilePath(argument)
    }
}
