import Foundation

/// Keeps the passwords of URLs that stand among the arguments out of what is printed about these.
enum SecretArguments {
    /// - Parameter arguments: those of the process.
    static func hide(in text: String, _ arguments: [String]) -> String {
        var text = text
        for secret in arguments.flatMap(readings) where isSecret(secret) { text = text.replacing(secret, with: "…") }
        // One that was taken apart on its way, such as by a shell.
        return text.replacing(#/(?<scheme>:\/\/)[^\s'"@]*@/#) { "\($0.output.scheme)…@" }
    }

    /// The argument, and what follows `--option=` and `env:` or `file:` in it.
    private static func readings(of argument: String) -> [String] {
        let values = [argument, String(argument.drop { $0 != "=" }.dropFirst())]
        return values + values.map { String($0.drop { $0 != ":" }.dropFirst()) }
    }

    /// Whether an argument looks as if somebody meant a URL with a password, be it a wrong one.
    private static func isSecret(_ text: String) -> Bool {
        let text = text.lowercased()
        let isURL = text.contains("://") || text.hasPrefix("redis") || text.hasPrefix("unix")
        return isURL && (text.contains("@") || text.contains("password"))
    }
}
