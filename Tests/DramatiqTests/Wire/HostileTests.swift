import TestSupport
import Testing

@testable import Dramatiq

/// Bytes that a decoder must survive, beside what Python makes of them.
@Suite struct HostileTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let name: String
        let why: String
        let bytes: [UInt8]
        let pythonAccepts: Bool
        /// What Python writes for what it has read.
        let pythonEncodes: String?

        var testDescription: String { "\(name): \(why)" }

        init?(_ row: JSONValue) {
            guard let row = row.objectValue, let why = row["why"]?.stringValue else { return nil }
            self.why = why
            pythonAccepts = row["python"] == "accepts"
            pythonEncodes = row["encodes"]?.stringValue
            if let file = row["file"]?.stringValue, let bytes = try? Fixtures.bytes("hostile/\(file)") {
                name = file
                self.bytes = bytes
            } else if let recipe = row["recipe"]?.arrayValue {
                name = row["name"]?.stringValue ?? "?"
                bytes = recipe.elements.flatMap { step -> [UInt8] in
                    let parts = step.arrayValue?.elements ?? []
                    guard parts.count == 2, let text = parts[0].stringValue else { return [] }
                    return Array(String(repeating: text, count: parts[1].intValue ?? 0).utf8)
                }
            } else {
                return nil
            }
        }
    }

    static let cases: [Case] = ((try? Fixtures.rows("hostile/index.json")) ?? []).compactMap(Case.init)

    @Test func allCasesAreThere() throws {
        let rows = try Fixtures.rows("hostile/index.json")
        #expect(rows.count > 150)
        #expect(Self.cases.count == rows.count)
    }

    @Test(arguments: cases)
    func bytesAreReadAsPythonDoesOrRejectedWithAReason(_ hostile: Case) throws {
        let encoder = JSONMessageEncoder()
        do throws(DecodeError) {
            let message = try encoder.decode(hostile.bytes)
            // Python has a limit on the digits of an integer, to keep its conversion cheap; here it stays text.
            #expect(hostile.pythonAccepts || hostile.name == "digits-5000", "Python rejects it")
            let encoded = try? encoder.encode(message)
            let again = try encoder.decode(encoded ?? [])
            #expect(again == message)
        } catch {
            #expect(!error.reason.isEmpty)
            #expect((0...hostile.bytes.count).contains(error.offset))
            if hostile.pythonAccepts {
                // It is stricter in two ways only: it looks at types and at the bytes of texts, and names have an end.
                #expect([.wrongType, .invalidUTF8, .tooDeep, .tooLong].contains(error.code), "\(error)")
            }
        }
    }
}
