#if Plugins
    import CommandLineSupport
    import Dramatiq
    import DramatiqFileStorage
    import DramatiqWorkflow
    import Foundation

    /// Counts what encoders and storages make of samples.
    struct SampleMeasurement: Sendable {
        struct Encoder: Sendable {
            let name: String
            let encoder: any MessageEncoder
        }

        /// What captured messages have in place of a storage's name: they are as somebody sent them.
        static let asSent = "as sent"

        /// The first one is what the others are compared with.
        let encoders: [Encoder]
        let storages: [StorageColumn]

        /// - Throws: what a sample, a storage or an encoder throws, `CancellationError`.
        func rows(of sample: Sample) async throws -> [MeasuredRow] {
            var rows: [MeasuredRow] = []
            if case .messages = sample.content {
                let tallies = try await tallies(sample, InlineCallbackStorage())
                add(sample, Self.asSent, tallies, stored: 0, to: &rows)
                return rows
            }
            for column in storages {
                let directory = URL.temporaryDirectory.appending(path: "dramatiq-workflow-measure-\(UUID().uuidString)")
                defer { try? FileManager.default.removeItem(at: directory) }
                let files = StorageDirectory(directory.path, durability: .processFailure)
                let store = CountedWorkflowStore(FileWorkflowStore(files))
                let tallies = try await tallies(sample, column.make(files, store))
                let stored = try await BlockingWork.run { try Self.size(of: FilePath(directory.path), $0) }
                add(sample, column.name, tallies, stored: stored, store.requests, to: &rows)
            }
            return rows
        }

        private func add(
            _ sample: Sample,
            _ storage: String,
            _ tallies: [MessageTally],
            stored: Int,
            _ requests: StoreRequests = StoreRequests(),
            to rows: inout [MeasuredRow]
        ) {
            let plainTotal = rows.first?.plainTotal ?? tallies.first.map { $0.total + stored } ?? 0
            for (encoder, tally) in zip(encoders, tallies) {
                rows.append(
                    MeasuredRow(
                        sample: sample.name, storage: storage, encoder: encoder.name, tally: tally, stored: stored,
                        plainTotal: plainTotal, requests: requests))
            }
        }

        /// One for each encoder.
        private func tallies(_ sample: Sample, _ storage: any CallbackStorage) async throws -> [MessageTally] {
            var tallies = encoders.map { _ in MessageTally() }
            var isFirst = true
            try await sample.forEachMessage(storage: storage) { message in
                for (index, encoder) in encoders.enumerated() {
                    // The first use of an encoder makes its contexts.
                    if isFirst { _ = try encoder.encoder.decode(try encoder.encoder.encode(message)) }
                    try Self.measure(message, encoder, &tallies[index])
                }
                isFirst = false
            }
            return tallies
        }

        private static func measure(_ message: Message, _ encoder: Encoder, _ tally: inout MessageTally) throws {
            let start = ContinuousClock.now
            let bytes = try encoder.encoder.encode(message)
            let encoded = ContinuousClock.now
            let decoded = try encoder.encoder.decode(bytes)
            let end = ContinuousClock.now
            guard decoded.messageID == message.messageID else {
                throw MeasurementError(encoder: encoder.name, messageID: message.messageID)
            }
            tally.add(size: bytes.count, encoding: start.duration(to: encoded), decoding: encoded.duration(to: end))
        }

        private static func size(of directory: FilePath, _ cancellation: Cancellation) throws -> Int {
            // A storage that had nothing to store made none.
            guard (try? directory.status()) != nil else { return 0 }
            return try FileTree(of: directory, cancellation).totalSize
        }
    }

    /// A message is not what it was after encoding and decoding.
    struct MeasurementError: Error, CustomStringConvertible {
        let encoder: String
        let messageID: String

        var description: String { "\(encoder) does not give message \(messageID) back as it was" }
    }
#endif
