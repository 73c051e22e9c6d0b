import TestSupport
import Testing

@testable import Dramatiq

/// Numbers, texts, names and waits, each as Python has it.
@Suite struct ScalarFixtureTests {
    private func rows(_ name: String) throws -> [JSONValue] {
        let rows = try Fixtures.rows(name)
        #expect(rows.count > 50)
        return rows
    }

    @Test func floatsAreReadAndWrittenAsPythonDoes() throws {
        for row in try rows("floats.json") {
            let parts = try #require(row.arrayValue).elements
            let text = try #require(parts[0].stringValue)
            let hex = try #require(parts[1].stringValue)
            let bits = try #require(UInt64(hex, radix: 16))
            let double = Double(bitPattern: bits)
            #expect(JSONValue.double(double).description == text)
            let parsed = try JSONValue(parsing: text)
            #expect(parsed.description == text)
            if double.isNaN {
                #expect(parsed.doubleValue?.isNaN == true)
            } else {
                #expect(parsed.doubleValue?.bitPattern == bits, "\(text)")
            }
        }
    }

    @Test func textsAreReadAndWrittenAsPythonDoes() throws {
        for row in try rows("strings.json") {
            let parts = try #require(row.arrayValue).elements
            let units = parts[0].arrayValue?.elements.map { UInt16($0.intValue ?? 0) } ?? []
            let hex = Array((parts[1].stringValue ?? "").utf8)
            let json = stride(from: 0, to: hex.count, by: 2).compactMap {
                UInt8(String(decoding: hex[$0...($0 + 1)], as: UTF8.self), radix: 16)
            }
            let parsed = try JSONValue(parsing: json)
            #expect(parsed.encoded() == json)
            if let text = String(validating: units, as: UTF16.self) {
                #expect(parsed.stringValue.map { Array($0.utf16) } == units)
                #expect(JSONValue.string(text).encoded() == json)
                // The same text without escapes reads as the same value, and is written so if asked for.
                var writer = JSONWriter(escapesNonASCII: false)
                writer.write(.string(text))
                #expect(try JSONValue(parsing: writer.bytes) == parsed)
            } else {
                guard case .unpairedString = parsed else {
                    Issue.record("half a surrogate pair is no Swift string: \(units)")
                    continue
                }
            }
        }
    }

    @Test func queueNamesAreThoseThatDramatiqTakes() throws {
        let names = try Fixtures.json("queue-names.json").objectValue ?? [:]
        let valid = names["valid"]?.arrayValue?.elements ?? []
        let invalid = names["invalid"]?.arrayValue?.elements ?? []
        #expect(valid.count > 5 && invalid.count > 5)
        for name in valid { #expect(QueueName.isValid(name.stringValue ?? ""), "\(name)") }
        for case .string(let name) in invalid { #expect(!QueueName.isValid(name), "\(name)") }
    }

    @Test func waitsAreThoseOfDramatiqsFormula() throws {
        for row in try rows("backoff.json") {
            let row = try #require(row.objectValue)
            func figure(_ name: String) -> Int { row[name]?.intValue ?? -1 }
            func wait(_ draw: (ClosedRange<Double>) -> Double) -> Int {
                Backoff.milliseconds(
                    attempts: figure("attempts"), factor: figure("factor"), maximum: figure("max_backoff"), draw: draw)
            }
            #expect(wait { $0.lowerBound } == figure("draws_low"), "\(row)")
            #expect(wait { $0.upperBound } == figure("draws_high"), "\(row)")
            var draws = 0
            let mixed = wait {
                draws += 1
                return draws == 1 ? $0.upperBound : $0.lowerBound
            }
            #expect(mixed == figure("draws_high_then_low"), "\(row)")
            let real = Backoff.duration(
                attempts: figure("attempts"), factor: .milliseconds(figure("factor")),
                maxBackoff: .milliseconds(figure("max_backoff")))
            #expect((figure("low")...figure("high")).contains(Int(real / .milliseconds(1))), "\(row)")
        }
    }
}
