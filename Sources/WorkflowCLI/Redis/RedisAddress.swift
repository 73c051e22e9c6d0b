#if Plugins
    import ArgumentParser
    import CommandLineSupport
    import Foundation

    /// Where a Redis server is, as a person says it: so that its password need not stand among the arguments, which
    /// everybody on the machine can list.
    struct RedisAddress: Sendable {
        static let variable = "DRAMATIQ_REDIS_URL"
        /// More than any URL.
        private static let maxSize = 1 << 16

        private enum Place: Sendable {
            case url(String)
            case variable(String)
            case file(FilePath)
        }

        private let place: Place

        /// - Parameter argument: a URL, `env:NAME` or `file:PATH`; unless given, the URL is that of ``variable``.
        init(_ argument: String? = nil) {
            switch argument {
            case nil: place = .variable(Self.variable)
            case let text? where text.hasPrefix("env:"): place = .variable(String(text.dropFirst(4)))
            case let text? where text.hasPrefix("file:"): place = .file(FilePath(input: String(text.dropFirst(5))))
            case let text?: place = .url(text)
            }
        }

        /// The URL. Nothing that goes wrong repeats a part of it.
        ///
        /// - Throws: ``FileError``, ``RedisAddressError``, `CancellationError`.
        func url(environment: (String) -> String? = Self.environment) async throws -> String {
            switch place {
            case .url(let url): return url
            case .variable(let name):
                guard let url = environment(name), !url.isEmpty else { throw RedisAddressError.notSet(name) }
                return url
            case .file(let path):
                let bytes = try await BlockingWork.run { try InputFile.read(path, limit: Self.maxSize, $0) }
                guard let text = String(validating: bytes, as: UTF8.self) else {
                    throw RedisAddressError.notText(path)
                }
                return text.trimmingCharacters(in: .whitespacesAndNewlines)
            }
        }

        static func environment(_ name: String) -> String? {
            getenv(name).map { String(cString: $0) }
        }
    }

    /// Why there is no URL of a server.
    enum RedisAddressError: Error, CustomStringConvertible {
        case notSet(String)
        case notText(FilePath)

        var description: String {
            switch self {
            case .notSet(let name):
                "There is no server: \(name) is not set. Give its URL there, in a file with --redis file:path, or as "
                    + "--redis redis://host:port/database if it has no password"
            case .notText(let path): "Can't read \(path.named): It is not UTF-8"
            }
        }
    }
#endif
