import Dramatiq
import DramatiqWorkflow

extension CallbackStoragePromises {
    /// Removing what was stored for runs that have ended.
    static let removing: [Promise<any CallbackStorageSubject>] = [
        Promise("what is stored for a run is told, and goes when it is removed", needs: [.removing]) { subject in
            let callbacks = callbacks(ofRun: "first", SampleWorkflows.large)
            let stored = try await subject.makeStorage().storeForRun(callbacks)
            try expect(!stored.contents.isEmpty, "names of what is stored")
            try expect(
                stored.contents.allSatisfy { 1...1024 ~= $0.utf8.count }, "short names", saw: "\(stored.contents)")
            let storage = try await subject.makeStorage()
            try await expectSame(
                Array(try await storage.retrieve(stored.reference).dropFirst()), Array(callbacks.dropFirst()),
                SampleWorkflows.large)
            for _ in 1...2 { try await storage.remove(stored.contents) }
            for storage in [storage, try await subject.makeStorage()] {
                try await expectError("it was removed") {
                    try await load(try await storage.retrieve(stored.reference)[1])
                }
            }
        },
        Promise("two runs of the same workflow share nothing that is removed", needs: [.removing]) { subject in
            let storage = try await subject.makeStorage()
            var stored: [StoredCallbacks] = []
            for run in ["first", "second", "third"] {
                stored.append(try await storage.storeForRun(callbacks(ofRun: run, SampleWorkflows.large)))
            }
            // That of nobody's run is everybody's.
            let shared = try await storage.store(SampleWorkflows.callbacks(SampleWorkflows.large))
            try expect(
                Set(stored[0].contents).isDisjoint(with: stored[1].contents), "names of their own",
                saw: "\(stored.map(\.contents))")
            try await storage.remove(stored[0].contents)
            let again = try await storage.storeForRun(callbacks(ofRun: "first", SampleWorkflows.large))
            try await storage.remove(stored[2].contents)
            let other = try await subject.makeStorage()
            for reference in [stored[1].reference, again.reference] {
                try expectEqual(
                    try await load(try await other.retrieve(reference)[1]), SampleWorkflows.large, "what stays")
            }
            try expectEqual(try await load(try await other.retrieve(shared)[0]), SampleWorkflows.large, "what stays")
        },
        Promise("what is carried on is not told again", needs: [.removing]) { subject in
            let storage = try await subject.makeStorage()
            let first = try await storage.storeForRun(callbacks(ofRun: "run", SampleWorkflows.large))
            let carried = try await storage.retrieve(first.reference)
            let next = try await storage.storeForRun(carried)
            // Callbacks that are kept apart are stored anew; what remains isn't.
            try expect(next.isApart || next.contents.isEmpty, "nothing new", saw: "\(next.contents)")
        },
        Promise("names of others and damaged ones remove nothing", needs: [.removing]) { subject in
            let storage = try await subject.makeStorage()
            let stored = try await storage.storeForRun(callbacks(ofRun: "run", SampleWorkflows.large))
            let garbage = ["", "x", "[]", "[1]", "null", "\u{0}", String(repeating: "[", count: 100_000)]
            try await storage.remove(garbage + stored.contents.map { String($0.dropLast()) })
            try expectEqual(
                try await load(try await subject.makeStorage().retrieve(stored.reference)[1]), SampleWorkflows.large,
                "what stays")
        },
    ]

    private static func callbacks(ofRun name: String, _ remaining: JSONValue) -> [CompletionCallback] {
        let run = CompletionCallback(completionID: name + RunStep.idSuffix, remaining: nil, propagates: true)
        return [run] + SampleWorkflows.callbacks(remaining)
    }
}
