/// What one encoder and one storage make of a sample.
struct MeasuredRow: Sendable {
    let sample: String
    let storage: String
    let encoder: String
    let tally: MessageTally
    /// Bytes that the storage keeps outside of the messages.
    let stored: Int
    /// Bytes of the same sample in plain JSON with the first storage.
    let plainTotal: Int
    /// What the storage has asked its store for.
    var requests = StoreRequests()

    /// What becomes of the bytes of plain JSON, stored ones included.
    var ratio: Double { plainTotal == 0 ? 1 : Double(tally.total + stored) / Double(plainTotal) }
}

/// The rows of all samples, in order, and of all of them together.
struct MeasuredRows: Sendable {
    static let allSamples = "all"

    private(set) var rows: [MeasuredRow] = []

    mutating func add(_ rows: [MeasuredRow]) {
        self.rows += rows
    }

    /// For each encoder and storage, all samples together.
    var totals: [MeasuredRow] {
        var order: [String] = []
        var sums: [String: MeasuredRow] = [:]
        for row in rows {
            let key = "\(row.storage) \(row.encoder)"
            var tally = sums[key]?.tally ?? MessageTally()
            tally.add(row.tally)
            var requests = sums[key]?.requests ?? StoreRequests()
            requests.add(row.requests)
            if sums[key] == nil { order.append(key) }
            sums[key] = MeasuredRow(
                sample: Self.allSamples, storage: row.storage, encoder: row.encoder, tally: tally,
                stored: row.stored + (sums[key]?.stored ?? 0),
                plainTotal: row.plainTotal + (sums[key]?.plainTotal ?? 0),
                requests: requests
            )
        }
        return order.compactMap { sums[$0] }
    }

    /// The rows of each sample.
    var bySample: [(sample: String, rows: [MeasuredRow])] {
        var groups: [(sample: String, rows: [MeasuredRow])] = []
        for row in rows {
            if groups.last?.sample == row.sample {
                groups[groups.count - 1].rows.append(row)
            } else {
                groups.append((row.sample, [row]))
            }
        }
        return groups
    }
}
