#if Plugins
    import ArgumentParser
    import Dramatiq
    import DramatiqLZ4
    import DramatiqZlib

    /// An encoder as one names it: `json`, `lz4`, `zlib`, and with a level `lz4:9`.
    struct EncoderChoice: ExpressibleByArgument, Sendable, Hashable {
        enum Format: String, CaseIterable {
            case json, lz4, zlib
        }

        static let all = Format.allCases.map { EncoderChoice(format: $0, level: nil) }
        static var allValueStrings: [String] { Format.allCases.map(\.rawValue) }

        let format: Format
        let level: Int?

        private init(format: Format, level: Int?) {
            self.format = format
            self.level = level
        }

        init?(argument: String) {
            let parts = argument.split(separator: ":", omittingEmptySubsequences: false)
            guard (1...2).contains(parts.count), let format = Format(rawValue: String(parts[0])) else { return nil }
            if parts.count == 2 {
                guard format != .json, let level = Int(parts[1]) else { return nil }
                self.init(format: format, level: level)
            } else {
                self.init(format: format, level: nil)
            }
        }

        var name: String { level.map { "\(format.rawValue):\($0)" } ?? format.rawValue }

        /// - Parameter minimumSize: messages with fewer bytes are sent as they are; the encoder's own unless given.
        func encoder(dictionary: CompressionDictionary? = nil, minimumSize: Int? = nil) -> any MessageEncoder {
            switch format {
            case .json:
                JSONMessageEncoder()
            case .lz4:
                LZ4MessageEncoder(
                    level: level ?? LZ4Compressor.defaultLevel, minimumSize: minimumSize, dictionary: dictionary)
            case .zlib:
                ZlibMessageEncoder(
                    level: level ?? ZlibCompressor.defaultLevel, minimumSize: minimumSize, dictionary: dictionary)
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
        @Option(help: ArgumentHelp("A dictionary that train-dictionary made.", valueName: "file"))
        var dictionary: String?

        /// - Throws: ``FileError``, `CompressionDictionaryError`, `CancellationError`.
        func load() async throws -> CompressionDictionary? {
            guard let dictionary else { return nil }
            let file = try await BlockingWork.run { try FileContent.all(of: FilePath(dictionary), $0) }
            return try CompressionDictionary(file: file)
        }
    }
#endif
