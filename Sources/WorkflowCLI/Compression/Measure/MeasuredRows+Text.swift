import Foundation

extension MeasuredRows {
    /// A table for people: sizes with units, times per message.
    ///
    /// - Parameter totalsOnly: leaves out all but the rows of all samples together.
    func table(totalsOnly: Bool) -> String {
        let header = [
            "workflow", "storage", "encoder", "messages", "total", "mean", "median", "largest", "stored", "stores",
            "loads", "ratio",
            "encode", "decode",
        ]
        var lines = [header]
        var groups = totalsOnly ? [] : bySample
        if totalsOnly || groups.count > 1 { groups.append((Self.allSamples, totals)) }
        for (sample, rows) in groups {
            for (index, row) in rows.enumerated() {
                let tally = row.tally
                lines.append([
                    index == 0 ? sample : "",
                    index == 0 || rows[index - 1].storage != row.storage ? row.storage : "",
                    row.encoder, "\(tally.count)", Readable.size(Double(tally.total)), Readable.size(tally.mean),
                    Readable.size(Double(tally.median)), Readable.size(Double(tally.largest)),
                    row.stored == 0 ? "–" : Readable.size(Double(row.stored)),
                    Self.count(row.requests.stores), Self.count(row.requests.loads), Readable.ratio(row.ratio),
                    Readable.time(tally.meanEncoding), Readable.time(tally.meanDecoding),
                ])
            }
        }
        let widths = header.indices.map { column in lines.map { $0[column].count }.max() ?? 0 }
        return lines.map { line in
            let cells = line.enumerated().map { column, cell in
                let padding = String(repeating: " ", count: widths[column] - cell.count)
                return column < 3 ? cell + padding : padding + cell
            }
            let text = cells.joined(separator: "  ")
            return String(text.reversed().drop { $0 == " " }.reversed()) + "\n"
        }.joined()
    }

    private static func count(_ requests: Int) -> String { requests == 0 ? "–" : "\(requests)" }

    /// Comma-separated values (RFC 4180): sizes in bytes, times in nanoseconds per message.
    var csv: String {
        let header =
            "workflow,storage,encoder,messages,total_bytes,mean_bytes,median_bytes,largest_bytes,stored_bytes,"
            + "ratio,encode_ns,decode_ns,store_requests,load_requests\r\n"
        return (rows + totals).reduce(into: header) { csv, row in
            let tally = row.tally
            csv +=
                [
                    Self.quoted(row.sample), Self.quoted(row.storage), Self.quoted(row.encoder), "\(tally.count)",
                    "\(tally.total)", String(format: "%.1f", tally.mean), "\(tally.median)", "\(tally.largest)",
                    "\(row.stored)", String(format: "%.6f", row.ratio), "\(tally.meanEncoding.nanoseconds)",
                    "\(tally.meanDecoding.nanoseconds)", "\(row.requests.stores)", "\(row.requests.loads)",
                ].joined(separator: ",") + "\r\n"
        }
    }

    /// What a spreadsheet takes for the beginning of a formula, also in full width.
    private static let formulaSigns: Set<Unicode.Scalar> = [
        "=", "+", "-", "@", "\t", "\r", "\n", "\u{FF1D}", "\u{FF0B}", "\u{FF0D}", "\u{FF20}",
    ]

    /// A cell that is text for every reader: names come from others, and a spreadsheet would run those that look like
    /// formulas. An apostrophe before them is what OWASP recommends ("CSV Injection").
    private static func quoted(_ text: String) -> String {
        let isFormula = text.unicodeScalars.first.map(formulaSigns.contains) ?? false
        guard isFormula || text.utf8.contains(where: { ",;\"'\t\r\n".utf8.contains($0) }) else { return text }
        return "\"" + (isFormula ? "'" : "") + text.replacing("\"", with: "\"\"") + "\""
    }

    /// A JSON array with an object for each row: sizes in bytes, times in nanoseconds per message.
    func json() throws -> String {
        struct Row: Encodable {
            let workflow, storage, encoder: String
            let messages, totalBytes: Int
            let meanBytes: Double
            let medianBytes, largestBytes, storedBytes: Int
            let ratio: Double
            let encodeNs, decodeNs: Int
            let storeRequests, loadRequests: Int
        }
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .convertToSnakeCase
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        let rows = (rows + totals).map { row in
            Row(
                workflow: row.sample, storage: row.storage, encoder: row.encoder, messages: row.tally.count,
                totalBytes: row.tally.total, meanBytes: row.tally.mean, medianBytes: row.tally.median,
                largestBytes: row.tally.largest, storedBytes: row.stored, ratio: row.ratio,
                encodeNs: row.tally.meanEncoding.nanoseconds, decodeNs: row.tally.meanDecoding.nanoseconds,
                storeRequests: row.requests.stores, loadRequests: row.requests.loads)
        }
        return String(decoding: try encoder.encode(rows), as: UTF8.self) + "\n"
    }
}

extension Duration {
    /// Whole nanoseconds, rounded towards zero.
    fileprivate var nanoseconds: Int { Int(self / .nanoseconds(1)) }
}
