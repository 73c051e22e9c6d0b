#if Plugins
    import ArgumentParser
    import Dramatiq
    import DramatiqWorkflow
    import Foundation
    import TestSupport
    import Testing

    @testable import WorkflowCLI

    @Suite struct MeasureTests {
        private static let encoders = EncoderChoice.all.map {
            SampleMeasurement.Encoder(name: $0.name, encoder: $0.encoder())
        }

        private func sample(_ name: String) throws -> Sample {
            Sample(
                name: name,
                content: .workflow(try WorkflowNode(try Fixtures.json("workflows/corpus/\(name).json"))))
        }

        private func rows(_ samples: Sample...) async throws -> MeasuredRows {
            let measurement = SampleMeasurement(encoders: Self.encoders, storages: StorageColumn.all)
            var rows = MeasuredRows()
            for sample in samples { rows.add(try await measurement.rows(of: sample)) }
            return rows
        }

        /// The numbers are counted here in another way: the sizes of the messages, one by one.
        @Test func countsEveryMessage() async throws {
            let sample = try sample("readme")
            let rows = try await rows(sample).rows
            #expect(
                rows.map { "\($0.storage) \($0.encoder)" }.prefix(4) == [
                    "inline json", "inline lz4", "inline zlib", "file json",
                ])
            #expect(rows.count == 9)
            var sizes: [Int] = []
            try await sample.forEachMessage { sizes.append(try JSONMessageEncoder().encode($0).count) }
            let plain = rows[0].tally
            #expect(plain.count == 8)
            // The time when a message was sent has more or fewer digits.
            #expect(zip(plain.sizes, sizes).allSatisfy { abs($0 - $1) <= 6 })
            #expect(plain.total == plain.sizes.reduce(0, +))
            #expect(plain.largest == plain.sizes.max())
            #expect(plain.sizes.filter { $0 <= plain.median }.count >= 4)
            #expect(rows[0].ratio == 1)
            #expect(plain.encoding > .zero && plain.decoding > .zero)
        }

        @Test func everyWayMakesALargeWorkflowSmaller() async throws {
            let rows = try await rows(try sample("album")).rows
            let ratios = Dictionary(uniqueKeysWithValues: rows.map { ("\($0.storage) \($0.encoder)", $0.ratio) })
            #expect(try #require(ratios["inline lz4"]) < 0.9)
            #expect(try #require(ratios["inline zlib"]) < (try #require(ratios["inline lz4"])))
            #expect(rows.filter { $0.storage == "inline" }.allSatisfy { $0.stored == 0 })
            // Where that pays.
            #expect(rows.filter { $0.storage != "inline" }.allSatisfy { $0.stored == 0 })
            // The time when a message was sent has more or fewer digits.
            #expect(rows.allSatisfy { $0.ratio <= 1.01 })
            let large = try await self.rows(try sample("nested")).rows
            #expect(large.filter { $0.storage != "inline" }.allSatisfy { $0.stored > 0 })
            // Stored once for the run if at all, and what was stored is known then.
            for row in rows + large {
                #expect(row.requests == StoreRequests(stores: row.stored > 0 ? 1 : 0, loads: 0))
            }
        }

        @Test func capturedMessagesAreWhatTheyAre() async throws {
            let message = try JSONMessageEncoder().decode(try Fixtures.bytes("messages/text-20-kilobytes.json"))
            let rows = try await rows(Sample(name: "captured", content: .messages([message]))).rows
            #expect(
                rows.map(\.storage) == [SampleMeasurement.asSent, SampleMeasurement.asSent, SampleMeasurement.asSent])
            #expect(rows[0].tally.total == (try Fixtures.bytes("messages/text-20-kilobytes.json").count))
            #expect(rows[2].ratio < 0.2)
        }

        @Test func totalsAreSums() async throws {
            let rows = try await rows(try sample("readme"), try sample("tiny"))
            #expect(rows.totals.count == 9)
            for (index, total) in rows.totals.enumerated() {
                let parts = [rows.rows[index], rows.rows[index + 9]]
                #expect(total.tally.total == parts.reduce(0) { $0 + $1.tally.total })
                #expect(total.tally.count == 128)
                #expect(total.stored == parts.reduce(0) { $0 + $1.stored })
                #expect(total.plainTotal == parts.reduce(0) { $0 + $1.plainTotal })
            }
        }

        @Test func allFormsHaveTheSameNumbers() async throws {
            let rows = try await rows(try sample("readme"), try sample("long-text"))
            let csv = rows.csv.split(separator: "\r\n").map { $0.split(separator: ",").map(String.init) }
            #expect(csv.count == 1 + 27)
            #expect(Set(csv.map(\.count)) == [14])
            let json = try #require(
                try JSONSerialization.jsonObject(with: Data(try rows.json().utf8)) as? [[String: Any]])
            #expect(json.count == 27)
            for (line, object) in zip(csv.dropFirst(), json) {
                #expect(object["workflow"] as? String == line[0])
                #expect(object["total_bytes"] as? Int == Int(line[4]))
                #expect(object["decode_ns"] as? Int == Int(line[11]))
                #expect(object["store_requests"] as? Int == Int(line[12]))
                #expect(object["load_requests"] as? Int == Int(line[13]))
            }
            let table = rows.table(totalsOnly: false).split(separator: "\n")
            #expect(table.count == 1 + 27)
            #expect(table[0].hasPrefix("workflow"))
            #expect(rows.table(totalsOnly: true).split(separator: "\n").count == 1 + 9)
        }

        @Test func namesDoNotBreakTheForms() throws {
            var rows = MeasuredRows()
            var tally = MessageTally()
            tally.add(size: 10, encoding: .nanoseconds(1), decoding: .nanoseconds(2))
            rows.add([
                MeasuredRow(
                    sample: "a,\"b\" <c> & d", storage: "inline", encoder: "json", tally: tally, stored: 0,
                    plainTotal: 10)
            ])
            #expect(rows.csv.contains("\"a,\"\"b\"\" <c> & d\",inline"))
            #expect(rows.chart.contains("a,\"b\" &lt;c&gt; &amp; d: 1 messages"))
        }

        @Test func theChartHasABarForEachRow() async throws {
            let rows = try await rows(try sample("readme"), try sample("tiny"))
            let chart = rows.chart
            let bars = chart.split(separator: "\n").filter { $0.contains("height=\"13\"") }
            #expect(bars.count == 18)
            #expect(chart.hasPrefix("<svg ") && chart.hasSuffix("</svg>\n"))
            #expect(!chart.contains("#000") && !chart.contains("#fff"), "neither can be seen on both pages")
        }

        @Test func numbersForPeople() {
            #expect(Readable.size(0) == "0 B")
            #expect(Readable.size(999) == "999 B")
            #expect(Readable.size(999.6) == "1.00 KB")
            #expect(Readable.size(12_345) == "12.3 KB")
            #expect(Readable.size(115_000_000) == "115 MB")
            #expect(Readable.time(.nanoseconds(1234)) == "1.23 µs")
            #expect(Readable.time(.milliseconds(12)) == "12.0 ms")
            #expect(Readable.ratio(1) == "100.0 %")
            #expect(Readable.ratio(0.0123) == "1.23 %")
        }

        @Test(arguments: [["--storage", "tape", "x"], ["--encoder", "zip", "x"], ["--format", "xml", "x"], [], [""]])
        func argumentsThatMakeNoSense(_ arguments: [String]) {
            #expect(throws: (any Error).self) { try MeasureCommand.parse(arguments) }
        }
    }
#endif
