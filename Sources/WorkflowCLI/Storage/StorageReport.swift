#if Plugins
    import Dramatiq
    import DramatiqWorkflow

    /// What a command has found out about a place, for people and for programs.
    struct StorageReport {
        /// What one content is kept in: `file`.
        private let noun: String
        private var rows: [(label: String, text: String)] = []
        private var members: [(String, JSONValue)] = []
        /// What is wrong, which makes the command fail: the first of it, and how much it is.
        private(set) var failures: [StorageFailure] = []
        private(set) var failureCount = 0

        init(noun: String) {
            self.noun = noun
        }

        /// A number of contents and their bytes.
        mutating func add(_ label: String, key: String, count: Int, bytes: Int? = nil) {
            add(label, key: key, count: count, noun: count == 1 ? noun : noun + "s", bytes: bytes)
        }

        /// What is wrong: with how many contents, and directories if these are files, and the first of these.
        mutating func fail(_ label: String, key: String, count: Int, _ failures: [StorageFailure]) {
            let one = noun == "file" ? "file or directory" : noun
            let many = noun == "file" ? "files and directories" : noun + "s"
            add(label, key: key, count: count, noun: count == 1 ? one : many)
            self.failures += failures
            failureCount += count
        }

        private mutating func add(_ label: String, key: String, count: Int, noun: String, bytes: Int? = nil) {
            rows.append((label, "\(count) \(noun)" + (bytes.map { ", \($0) bytes" } ?? "")))
            members.append((key, .integer(count)))
            if let bytes { members.append((key + "_bytes", .integer(bytes))) }
        }

        /// A time; `nil` is left out for people.
        mutating func add(_ label: String, key: String, _ age: Duration?) {
            if let age { rows.append((label, Age(age).description)) }
            members.append((key + "_seconds", age.map { .integer(Int($0.components.seconds)) } ?? .null))
        }

        mutating func add(_ label: String, key: String, _ value: Bool) {
            rows.append((label, value ? "yes" : "no"))
            members.append((key, .bool(value)))
        }

        /// A line for each value, with the labels in a column.
        var lines: [String] {
            let width = rows.map(\.label.count).max() ?? 0
            return rows.map { $0.label + String(repeating: " ", count: width - $0.label.count) + "  " + $0.text }
        }

        var jsonLine: String {
            let failures = JSONValue.array(
                JSONArray(
                    failures.map { failure in
                        [
                            "path": .string(failure.place), "code": .string(failure.code),
                            "reason": .string(failure.reason),
                        ]
                    }))
            return PrintableText.escape(json: JSONObject(members + [("failures", failures)]).description)
        }
    }
#endif
