#if Plugins
    import ArgumentParser
    import CommandLineSupport
    import Foundation

    /// A question before something is done that can't be undone.
    struct Confirmation: ParsableArguments {
        @Flag(help: "Don't ask.")
        var yes = false

        /// Asks, unless that is not wanted.
        ///
        /// - Parameter answer: gets a line from whoever is asked; `nil` if there is nobody.
        /// - Throws: `ExitCode.failure` if the answer is not yes.
        func ask(_ question: String, on console: Console, answer: () async throws -> String?) async throws {
            if yes { return }
            console.write("\(question) [y/N] ", to: .error)
            try await console.flush()
            let reply = try await answer()?.trimmingCharacters(in: .whitespaces).lowercased()
            guard reply == "y" || reply == "yes" else { throw ExitCode.failure }
        }

        /// A line of the standard input.
        static func readAnswer() async throws -> String? {
            try await BlockingWork.run { try InputFile.readAnswer($0) }
        }
    }
#endif
