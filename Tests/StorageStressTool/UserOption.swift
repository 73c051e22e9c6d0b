import ArgumentParser

#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Another user to be, for commands that try what that one may.
struct UserOption: ParsableArguments {
    @Option(help: "Become this user.") var user: UInt32?

    func become() throws {
        guard let user else { return }
        guard setuid(user) == 0 else { throw ValidationError("setuid failed") }
    }
}
