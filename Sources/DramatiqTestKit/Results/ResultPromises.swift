import Dramatiq

/// What a `ResultBackend` promises: results that all clients share, for a time.
public enum ResultPromises {
    public static var all: [Promise<any ResultSubject>] { results + waiting }

    /// A key that nothing else uses.
    private static func key(_ actorName: String = "actor", queue: String = "default") -> ResultKey {
        ResultKey(queueName: queue, actorName: actorName, messageID: UniqueID.make())
    }

    private static let results: [Promise<any ResultSubject>] = [
        Promise("a result is found by every client, as often as it is asked for") { subject in
            let backends = [try await subject.makeResultBackend(), try await subject.makeResultBackend()]
            let key = key()
            for result in [Array("[1]".utf8), [0, 255, 10, 13], Array("{}".utf8)] {
                try await backends[0].store(result, for: key, ttl: subject.lifetime)
                for backend in backends + backends {
                    let found = try await backend.result(for: key, timeout: .zero)
                    try expectEqual(found, result, "the latest result")
                }
            }
        },
        Promise("a result of any size is kept whole") { subject in
            let backend = try await subject.makeResultBackend()
            for count in [0, 1, 1 << 22] {
                let (key, result) = (key(), [UInt8](repeating: 7, count: count))
                try await backend.store(result, for: key, ttl: subject.lifetime)
                let found = try await backend.result(for: key, timeout: .zero)
                try expect(found == result, "\(count) bytes", saw: "\(found?.count ?? -1)")
            }
        },
        Promise("results are told apart by message, actor and queue, and a delayed message is in its queue") {
            subject in
            let backend = try await subject.makeResultBackend()
            let id = UniqueID.make()
            func key(_ queue: String, _ actor: String, _ id: String) -> ResultKey {
                ResultKey(queueName: queue, actorName: actor, messageID: id)
            }
            let keys = [key("a", "b", id), key("b", "b", id), key("a", "c", id), key("a", "b", UniqueID.make())]
            for (number, key) in keys.enumerated() {
                try await backend.store([UInt8(number)], for: key, ttl: subject.lifetime)
            }
            for (number, key) in keys.enumerated() {
                try expectEqual(try await backend.result(for: key, timeout: .zero), [UInt8(number)], "the key's own")
            }
            for queue in ["a.DQ", "a.XQ"] {
                try expectEqual(
                    try await backend.result(for: key(queue, "b", id), timeout: .zero), [0], "that of the queue")
            }
        },
        Promise("several results are found at once, in the order in which they are asked for") { subject in
            let backend = try await subject.makeResultBackend()
            let keys = (0..<300).map { _ in key() }
            for (number, key) in keys.enumerated() where number % 3 > 0 {
                try await backend.store([UInt8(number % 256)], for: key, ttl: subject.lifetime)
            }
            let expected = keys.indices.map { $0 % 3 > 0 ? [UInt8($0 % 256)] : nil }
            for (keys, expected) in [(keys, expected), (keys.reversed(), expected.reversed()), ([], [])] {
                let found = try await backend.results(for: keys, maxSize: 200)
                try expectEqual(found, expected, "the results")
            }
        },
        Promise("of several results there are those that are not too large together") { subject in
            let backend = try await subject.makeResultBackend()
            let sizes = [0, 100, 1 << 20, 7, 1 << 20, 1 << 17, 1]
            let keys = sizes.map { _ in key() }
            for (key, size) in zip(keys, sizes) {
                try await backend.store([UInt8](repeating: 1, count: size), for: key, ttl: subject.lifetime)
            }
            for (maxSize, count) in [
                (0, 1), (99, 1), (100, 2), (1 << 20, 2), ((1 << 20) + 107, 4), ((2 << 20) + 107, 5),
                ((2 << 20) + (1 << 17) + 107, 6), ((2 << 20) + (1 << 17) + 108, 7), (.max, 7),
            ] {
                let found = try await backend.results(for: keys, maxSize: maxSize)
                try expectEqual(found.map { $0?.count }, Array(sizes.prefix(count)), "those within \(maxSize) bytes")
            }
        },
        Promise("there is no result before it is kept, and none when its time is over", needs: [.passingTime]) {
            subject in
            let backend = try await subject.makeResultBackend()
            let (key, other) = (key(), key())
            try expectEqual(try await backend.result(for: key, timeout: .zero), nil, "a result before there is one")
            try await backend.store([1], for: key, ttl: subject.lifetime)
            try await backend.store([2], for: other, ttl: subject.lifetime * 3)
            try await subject.letPass(subject.lifetime / 2)
            // Neither asking nor waiting keeps it for longer.
            for timeout in [Duration.zero, .seconds(1)] {
                try expectEqual(try await backend.result(for: key, timeout: timeout), [1], "a result in its time")
            }
            try await subject.letPass(subject.lifetime)
            try expectEqual(try await backend.result(for: key, timeout: .zero), nil, "a result after its time")
            try expectEqual(try await backend.result(for: other, timeout: .zero), [2], "one that is kept for longer")
        },
    ]

    private static let waiting: [Promise<any ResultSubject>] = [
        Promise("all that wait for a result get it when it comes") { subject in
            let key = key()
            let (patience, lifetime) = (subject.patience, subject.lifetime)
            try await withThrowingTaskGroup(of: [UInt8]?.self) { group in
                for _ in 0..<10 {
                    let backend = try await subject.makeResultBackend()
                    group.addTask { try await backend.result(for: key, timeout: patience) }
                }
                let backend = try await subject.makeResultBackend()
                // Some of them wait by then, and some don't.
                try await Task.sleep(for: .milliseconds(20))
                try await backend.store([1, 2], for: key, ttl: lifetime)
                for try await found in group { try expectEqual(found, [1, 2], "what came") }
            }
        },
        Promise("who waits in vain gets nothing, and who is cancelled an error") { subject in
            let backend = try await subject.makeResultBackend()
            let key = key()
            try expectEqual(try await backend.result(for: key, timeout: .milliseconds(30)), nil, "a result")
            let waiting = Task { try await backend.result(for: key, timeout: .seconds(86_400)) }
            try await Task.sleep(for: .milliseconds(20))
            waiting.cancel()
            _ = try await expectError(CancellationError.self, "the wait is cancelled") { try await waiting.value }
            try await backend.store([1], for: key, ttl: subject.lifetime)
            try expectEqual(try await backend.result(for: key, timeout: .zero), [1], "what came after that")
        },
    ]
}
