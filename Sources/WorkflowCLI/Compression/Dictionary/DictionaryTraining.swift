#if Plugins
    import CommandLineSupport
    import Dramatiq
    import DramatiqLZ4
    import DramatiqZlib

    /// Makes a dictionary from samples, and finds out on messages that it has not seen what it is worth.
    struct DictionaryTraining: Sendable {
        /// More of a message says nothing new: large ones don't need a dictionary.
        private static let largestSample = 8192
        /// Of one workflow; the large ones have thousands that are alike.
        private static let messagesPerSample = 200
        private static let segmentLengths = [24, 32, 48, 64, 96, 160]
        /// One message of so many is kept to judge by.
        private static let heldOut = 4

        /// How a message is sent, and how many bytes a held-out one takes that way on average.
        struct Judgement: Sendable {
            let name: String
            let mean: Double
        }

        let dictionary: CompressionDictionary
        let trainedOn: Int
        let judgements: [Judgement]
        /// Samples whose messages can't be had, and why.
        private(set) var problems: [String] = []

        /// - Throws: ``DictionaryTrainingError``, what a sample throws, `CancellationError`.
        init(_ samples: [Sample], size: Int) async throws {
            let (messages, problems) = try await Self.messages(samples)
            guard messages.count >= 2 * Self.heldOut else { throw DictionaryTrainingError.tooFew(messages.count) }
            self = try await BlockingWork.run { cancellation in try DictionaryTraining(messages, size, cancellation) }
            self.problems = problems
        }

        private init(_ messages: [[UInt8]], _ size: Int, _ cancellation: Cancellation) throws {
            let judged = messages.enumerated().filter { $0.offset % Self.heldOut == 0 }.map(\.element)
            let others = messages.enumerated().filter { $0.offset % Self.heldOut != 0 }.map(\.element)
            var best: (total: Int, trainer: DictionaryTrainer, dictionary: CompressionDictionary)?
            for length in Self.segmentLengths {
                let trainer = DictionaryTrainer(segmentLength: length)
                let content = try trainer.train(others, size: size, cancellation)
                guard !content.isEmpty else { continue }
                let dictionary = try CompressionDictionary(content)
                let total = try Self.total(judged, ZlibCompressor(dictionary: dictionary))
                if best.map({ total < $0.total }) ?? true { best = (total, trainer, dictionary) }
            }
            guard let best else { throw DictionaryTrainingError.nothingInCommon }
            let compressors: [(String, (any Compressor)?)] = [
                ("json", nil), ("lz4", LZ4Compressor()), ("zlib", ZlibCompressor()),
                ("lz4 with a dictionary", LZ4Compressor(dictionary: best.dictionary)),
                ("zlib with a dictionary", ZlibCompressor(dictionary: best.dictionary)),
            ]
            judgements = try compressors.map { name, compressor in
                Judgement(name: name, mean: Double(try Self.total(judged, compressor)) / Double(judged.count))
            }
            // What is given away knows all messages.
            dictionary = try CompressionDictionary(try best.trainer.train(messages, size: size, cancellation))
            trainedOn = messages.count
        }

        private static func messages(_ samples: [Sample]) async throws -> ([[UInt8]], problems: [String]) {
            var messages: [[UInt8]] = []
            var problems: [String] = []
            for sample in samples {
                var own: [[UInt8]] = []
                do {
                    try await sample.forEachMessage { message in
                        own.append(Array(try JSONMessageEncoder().encode(message).prefix(largestSample)))
                    }
                } catch let error as CancellationError {
                    throw error
                } catch {
                    problems.append("'\(sample.name)' can't be used: \(error)")
                }
                let step = max(1, (own.count + messagesPerSample - 1) / messagesPerSample)
                messages += stride(from: 0, to: own.count, by: step).map { own[$0] }
            }
            return (messages, problems)
        }

        /// The bytes of messages where each is sent in the shorter form, as encoders do.
        private static func total(_ messages: [[UInt8]], _ compressor: (any Compressor)?) throws -> Int {
            try messages.reduce(0) { $0 + min($1.count, try compressor?.compress($1).count ?? $1.count) }
        }
    }

    /// Why there is no dictionary.
    enum DictionaryTrainingError: Error, CustomStringConvertible {
        case tooFew(Int)
        case nothingInCommon

        var description: String {
            switch self {
            case .tooFew(let count): "There are only \(count) messages; give some that are like those to be sent"
            case .nothingInCommon: "The messages have nothing in common"
            }
        }
    }
#endif
