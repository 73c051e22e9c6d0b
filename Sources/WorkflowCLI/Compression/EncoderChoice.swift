#if Plugins
    import ArgumentParser
    import CommandLineSupport
    import Dramatiq
    import DramatiqLZ4
    import DramatiqZlib

    /// An encoder as one names it: `json`, `lz4`, `zlib`, and with a level `lz4:9`.
    struct EncoderChoice: Sendable, Hashable {
        enum Format: String, CaseIterable {
            case json, lz4, zlib

            /// How hard it can try; `nil` if there is nothing to try.
            var levels: ClosedRange<Int>? {
                switch self {
                case .json: nil
                case .lz4: LZ4Compressor.levels
                case .zlib: ZlibCompressor.levels
                }
            }
        }

        static let all = Format.allCases.map { EncoderChoice(format: $0, level: nil) }

        let format: Format
        let level: Int?

        private init(format: Format, level: Int?) {
            self.format = format
            self.level = level
        }

        /// - Throws: ``ArgumentFault``.
        @Sendable static func read(_ argument: String) throws(ArgumentFault) -> EncoderChoice {
            let parts = argument.split(separator: ":", omittingEmptySubsequences: false)
            guard (1...2).contains(parts.count), let format = Format(rawValue: String(parts[0])) else {
                throw ArgumentFault("There are json, lz4 and zlib, with a level as in zlib:9")
            }
            guard parts.count == 2 else { return EncoderChoice(format: format, level: nil) }
            guard let levels = format.levels else { throw ArgumentFault("json has no levels") }
            guard let level = Int(parts[1]), levels.contains(level) else {
                throw ArgumentFault(
                    "The levels of \(format.rawValue) go from \(levels.lowerBound) to \(levels.upperBound)")
            }
            return EncoderChoice(format: format, level: level)
        }

        var name: String { level.map { "\(format.rawValue):\($0)" } ?? format.rawValue }

        /// - Parameter minSize: messages with fewer bytes are sent as they are; the encoder's own unless given.
        func encoder(dictionary: CompressionDictionary? = nil, minSize: Int? = nil) -> any MessageEncoder {
            switch format {
            case .json:
                JSONMessageEncoder()
            case .lz4:
                LZ4MessageEncoder(
                    level: level ?? LZ4Compressor.defaultLevel, minSize: minSize, dictionary: dictionary)
            case .zlib:
                ZlibMessageEncoder(
                    level: level ?? ZlibCompressor.defaultLevel, minSize: minSize, dictionary: dictionary)
            }
        }

        /// The compressor; `nil` for plain JSON.
        func compressor(dictionary: CompressionDictionary?) -> (any Compressor)? {
            switch format {
            case .json: nil
            case .lz4: LZ4Compressor(level: level ?? LZ4Compressor.defaultLevel, dictionary: dictionary)
            case .zlib: ZlibCompressor(level: level ?? ZlibCompressor.defaultLevel, dictionary: dictionary)
            }
        }

        /// Reads every format.
        static func decoder(dictionary: CompressionDictionary? = nil) -> MultiFormatMessageEncoder {
            MultiFormatMessageEncoder(
                writing: JSONMessageEncoder(),
                reading: LZ4MessageEncoder(dictionary: dictionary), ZlibMessageEncoder(dictionary: dictionary))
        }
    }

    /// A dictionary's file among the arguments.
    struct DictionaryOption: ParsableArguments {
        /// More than a dictionary's file can have.
        private static let maxSize = 2 * CompressionDictionary.maxSize

        @Option(
            help: ArgumentHelp("A dictionary that train-dictionary made.", valueName: "file"), completion: .file())
        var dictionary: String?

        func validate() throws {
            guard dictionary != "" else { throw ValidationError("--dictionary can't be empty") }
        }

        /// - Throws: ``FileError``, ``InputError``, `CancellationError`.
        func load() async throws -> CompressionDictionary? {
            guard let dictionary else { return nil }
            let path = FilePath(input: dictionary)
            let file = try await BlockingWork.run { try InputFile.read(path, limit: Self.maxSize, $0) }
            do {
                return try CompressionDictionary(file: file)
            } catch {
                throw InputError(path, "can't be used", error)
            }
        }
    }
#endif
