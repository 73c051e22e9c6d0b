import Dramatiq
import DramatiqWorkflow

/// What `WorkflowStoreOperations` promise: what is there is listed and read, and nothing goes that is needed. They are
/// among ``WorkflowStorePromises``.
public enum StoreOperationsPromises {
    public static let all: [Promise<any WorkflowStoreSubject>] = [
        Promise("what is stored is listed by its name", needs: [.storeOperations]) { subject in
            let store = try await operations(of: subject)
            try await fill(store)
            try await fill(try await operations(of: subject))
            let contents = try await list(try await operations(of: subject))
            try expectEqual(contents.map(\.name).sorted(), samples.keys.sorted(), "the names")
            for content in contents {
                try expect(content.size > 0, "a size in bytes", saw: "\(content.size)")
                try expect(content.age ?? .zero < subject.lifetime, "a young content", saw: "\(content)")
                try expectEqual(
                    try await store.stored(named: content.name)?.size, content.size, "the size of '\(content.name)'")
            }
            let statistics = try await store.statistics()
            try expectEqual(statistics.count, samples.count, "the counted contents")
            try expectEqual(statistics.bytes, contents.map(\.size).reduce(0, +), "the counted bytes")
            try expectEqual(statistics.expiredCount, 0, "the contents that nothing needs")
        },
        Promise("a content is read by its name, and from what messages carry", needs: [.storeOperations]) { subject in
            let store = try await operations(of: subject)
            try await fill(store)
            for (name, content) in samples {
                try expect(try await store.content(named: name) == content, "the same bytes")
                try expect(try await store.load(.string(name), completionID: name) == content, "the same bytes")
            }
        },
        Promise("what isn't there is nothing, whatever it is called", needs: [.storeOperations]) { subject in
            let store = try await operations(of: subject)
            let (name, other) = (samples.keys.sorted()[0], samples.keys.sorted()[1])
            try await store.store(sample(name), named: name)
            let names = [
                other, "", ".", "..", "../\(name)", "/etc/passwd", "\(name)/", "\(name)\u{0}", "*", "?", "\u{1B}[2J",
                "é",
                String(name.dropLast()), String(name.dropLast()) + "_", String(repeating: "x", count: 100_000),
            ]
            for name in names {
                let what = "'\(name.prefix(60))'"
                try expect(try await store.stored(named: name) == nil, "nothing stored as \(what)")
                try expect(try await store.content(named: name) == nil, "no content of \(what)")
                try expect(try await !store.remove(named: name, olderThan: .zero), "nothing to remove as \(what)")
            }
            try expectEqual(try await list(store).map(\.name), [name], "the names of what is there")
        },
        Promise("what was just stored is not removed", needs: [.storeOperations]) { subject in
            let store = try await operations(of: subject)
            try await fill(store)
            for name in samples.keys {
                try expect(
                    try await !store.remove(named: name, olderThan: subject.lifetime / 2), "a content that stays")
            }
            let report = try await store.sweep(olderThan: subject.lifetime / 2, isDryRun: false)
            try expectEqual(report.removed, 0, "the removed contents")
            try expectEqual(report.kept, samples.count, "the kept contents")
            try expectEqual(report.failureCount, 0, "the failures")
            try expectEqual(try await list(store).count, samples.count, "the contents")
        },
        Promise("what is old is removed, and can be stored again", needs: [.storeOperations, .passingTime]) { subject in
            let store = try await operations(of: subject)
            try await fill(store)
            try await subject.letPass(subject.lifetime / 4 * 3)
            let name = samples.keys.sorted()[0]
            try expect(try await !store.remove(named: name, olderThan: subject.lifetime), "a content that stays")
            try expect(try await store.remove(named: name, olderThan: subject.lifetime / 2), "a content that goes")
            try expect(try await !store.remove(named: name, olderThan: subject.lifetime / 2), "a content that is gone")
            try expect(try await store.content(named: name) == nil, "no content")
            try await store.store(sample(name), named: name)
            let dry = try await store.sweep(olderThan: subject.lifetime / 2, isDryRun: true)
            try expectEqual([dry.removed, dry.kept], [samples.count - 1, 1], "what would be removed and kept")
            try expectEqual(try await list(store).count, samples.count, "the contents after a dry run")
            let sweep = try await store.sweep(olderThan: subject.lifetime / 2, isDryRun: false)
            try expectEqual([sweep.removed, sweep.kept], [samples.count - 1, 1], "what was removed and kept")
            try expectEqual(sweep.removedBytes, dry.removedBytes, "the removed bytes")
            try expectEqual(try await list(store).map(\.name), [name], "what is left")
        },
        Promise("looking at a content doesn't keep it, and needing it does", needs: [.storeOperations, .passingTime]) {
            subject in
            let store = try await operations(of: subject)
            try await fill(store)
            let names = samples.keys.sorted()
            // It waits for that time, and then it is kept for its lifetime.
            try await store.refresh(.string(names[1]), completionID: names[1], for: subject.lifetime)
            try await subject.letPass(subject.lifetime / 4 * 3)
            _ = try await list(store)
            for name in names {
                _ = try await store.stored(named: name)
                _ = try await store.content(named: name)
            }
            try await store.refresh(.string(names[2]), completionID: names[2])
            try await store.store(sample(names[3]), named: names[3])
            for (index, name) in names.enumerated() {
                try expectEqual(
                    try await store.remove(named: name, olderThan: subject.lifetime / 2), ![1, 2, 3].contains(index),
                    "whether content \(index) is removed")
            }
            let age = try unwrap(try await store.stored(named: names[1])?.age, "the age of what waits")
            try expect(age < .zero, "a time to wait, which is a negative age", saw: "\(age)")
        },
        Promise("many tasks look after a store at the same time", needs: [.storeOperations]) { subject in
            let store = try await operations(of: subject)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<8 {
                    group.addTask {
                        try await fill(store)
                        try expectEqual(
                            try await store.sweep(olderThan: subject.lifetime, isDryRun: false).removed, 0,
                            "the removed")
                        try expectEqual(
                            Set(try await list(store).map(\.name)), Set(samples.keys), "the names")
                    }
                }
                try await group.waitForAll()
            }
        },
    ]

    /// A few contents by their names.
    private static let samples: [String: [UInt8]] = Dictionary(
        uniqueKeysWithValues: [
            "f3NOnKi26DNSUFEtZnKO_sy_0NgrpGHrl9MYSXWyVFQ",
            "vxr57F6aoTtsf2zByGfL7moz4d8_ZHGRZzY-5EkZ9vw",
            "ZDi5o5PhdBfgm4aCF8lZNwauq7T3wYuUKqnO5DhfKFg",
            "LDAEGKvFG7JFzX7myKx2PQsg2BR6YnnPT54dqKVVik0",
            "wbO1K-dWADFGkioNPwo1t1qxlAnbqjEa3bHIY0RWSW4",
        ].enumerated().map { index, name in
            let group = #"{"__type__":"group","children":[]}"#
            let groups = Array(repeating: group, count: 20 * index + 1).joined(separator: ",")
            return (name, Array(#"[{"__type__":"chain","children":[\#(groups)]}]"#.utf8))
        })

    private static func sample(_ name: String) -> [UInt8] { samples[name] ?? [] }

    private static func fill(_ store: any WorkflowStoreOperations) async throws {
        for (name, content) in samples { try await store.store(content, named: name) }
    }

    private static func list(_ store: any WorkflowStoreOperations) async throws -> [StoredContent] {
        var contents: [String: StoredContent] = [:]
        var position: String?
        repeat {
            let page = try await store.contents(after: position)
            try expectEqual(page.failures, [], "the failures")
            for content in page.contents { contents[content.name] = content }
            position = page.next
        } while position != nil
        return Array(contents.values)
    }

    private static func operations(
        of subject: any WorkflowStoreSubject
    ) async throws -> any WorkflowStoreOperations {
        try unwrap(try await subject.makeStore() as? any WorkflowStoreOperations, "a store with operations")
    }
}
