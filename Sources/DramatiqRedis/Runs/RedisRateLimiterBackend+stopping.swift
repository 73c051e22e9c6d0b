public import Dramatiq

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// Which runs are stopped, and what was put aside of them: see ``RunScript``.
extension RedisRateLimiterBackend {
    /// - Throws: ``RedisError``.
    public func change(_ id: String, _ transition: RunTransition, index: String) async throws -> RunChange? {
        let reply = try await executor.evaluate(RunScript.change, keys: [id], index, transition.rawValue).array()
        guard reply.count == 2 else {
            throw RedisError(.unexpectedReply, "The state of a run came as \(reply.count) parts")
        }
        let name = try reply[0].string()
        if name.isEmpty { return nil }
        return RunChange(state: RunState(name), version: try Self.version(try reply[1].string()))
    }

    /// - Throws: ``RedisError``.
    public func stoppedRuns(
        since version: Int?, worker: String, announces: Bool, index: String
    ) async throws -> StoppedRuns {
        let reply = try await executor.evaluate(
            RunScript.stopped, keys: [index], worker, version.map { "\($0)" } ?? "", announces ? 1 : 0
        ).array()
        guard let first = reply.first else {
            throw RedisError(.unexpectedReply, "The runs that are stopped came as nothing")
        }
        var states: [String: RunState]?
        if reply.count > 1 {
            states = [:]
            for value in try reply[1].array() {
                let text = try value.string()
                guard let space = text.utf8.firstIndex(of: UInt8(ascii: " ")) else { continue }
                states?[String(text[text.utf8.index(after: space)...])] = RunState(String(text[..<space]))
            }
        }
        return StoppedRuns(version: try Self.version(try first.string()), states: states)
    }

    /// - Throws: ``RedisError``.
    public func forget(worker: String, index: String) async throws {
        _ = try await executor.execute(RedisCommand("HDEL", "\(index).stopped.workers", worker))
    }

    /// - Throws: ``RedisError``.
    public func versions(index: String) async throws -> [String: Int] {
        // By the server's clock, as they were noted.
        let replies = try await executor.pipeline([
            RedisCommand("TIME"), RedisCommand("HGETALL", "\(index).stopped.workers"),
        ])
        guard replies.count == 2, let seconds = try replies[0].get().array().first else {
            throw RedisError(.unexpectedReply, "The time came as nothing")
        }
        let now = try Self.version(try seconds.string()) * 1000
        var versions: [String: Int] = [:]
        for pair in try replies[1].get().pairs() {
            let parts = try pair.value.string().split(separator: " ")
            guard parts.count == 2, let version = Int(parts[0]), let heard = Int(parts[1]),
                now - heard < RunLimits.workerPatience.redisMilliseconds
            else { continue }
            versions[try pair.key.string()] = version
        }
        return versions
    }

    /// - Throws: ``RedisError``, or what encodes the message.
    public func hold(_ message: HeldMessage, of id: String, index: String) async throws -> HoldOutcome {
        let text = try await executor.execute(
            RedisCommand(
                RunScript.hold, keys: [id], index, message.messageID, message.actorName, try message.text())
        ).string()
        guard let outcome = HoldOutcome(rawValue: text) else {
            throw RedisError(
                .unexpectedReply, "Putting a message aside came to '\(PrintableText.escape(text, limit: 50))'")
        }
        return outcome
    }

    /// - Throws: ``RedisError``.
    public func heldMessages(of id: String, limit: Int) async throws -> [HeldMessage] {
        var cursor = "0"
        repeat {
            let reply = try await executor.execute(
                RedisCommand("HSCAN", "\(id)_held", cursor, "COUNT", max(1, min(limit, 5000)))
            ).array()
            guard reply.count == 2 else {
                throw RedisError(.unexpectedReply, "A part of what was put aside came as \(reply.count) parts")
            }
            let found = try reply[1].pairs().compactMap { pair in
                HeldMessage(messageID: try pair.key.string(), try pair.value.bytes())
            }
            // The others are there the next time.
            if !found.isEmpty { return Array(found.prefix(max(1, limit))) }
            cursor = try reply[0].string()
        } while cursor != "0"
        return []
    }

    /// - Throws: ``RedisError``.
    public func callbacks(of id: String, group: Int?) async throws -> RunCallbacks {
        let values = try await executor.execute(
            RedisCommand("HMGET", "\(id)_state", list: RunScript.callbackFields(ofGroup: group))
        ).array()
        guard values.count == 3 else {
            throw RedisError(.unexpectedReply, "The callbacks of a run came as \(values.count) parts")
        }
        func object(_ value: RESPValue) throws -> JSONObject? {
            value.isNull ? nil : try JSONValue(parsing: try value.string()).objectValue
        }
        return RunCallbacks(
            onSuccess: try object(values[0]), onFailure: try object(values[1]), onEnd: try object(values[2]))
    }

    /// - Throws: ``RedisError``.
    public func failures(
        of id: String, from position: String?, limit: Int
    ) async throws -> (failures: [RunStatus.Failure], next: String?) {
        let reply = try await executor.execute(
            RedisCommand("HSCAN", "\(id)_failures", position ?? "0", "COUNT", max(1, min(limit, 5000)))
        ).array()
        guard reply.count == 2 else {
            throw RedisError(.unexpectedReply, "A part of a run's failures came as \(reply.count) parts")
        }
        let failures = try reply[1].pairs().map { pair in
            RunStatus.Failure(messageID: try pair.key.string(), json: try pair.value.string())
        }
        let next = try reply[0].string()
        return (failures, next == "0" ? nil : next)
    }

    /// - Throws: ``RedisError``.
    public func failedMembers(at barrier: String, with party: String?) async throws -> FailedMembers {
        let values = try await executor.execute(
            RedisCommand("HMGET", "\(barrier)_failed", "n", "a", "p\(party ?? "")")
        ).array()
        guard values.count == 3 else {
            throw RedisError(.unexpectedReply, "The members of a group came as \(values.count) parts")
        }
        func number(_ value: RESPValue) throws -> Int { value.isNull ? 0 : Int(try value.string()) ?? 0 }
        let isOther = party != nil && values[2].isNull
        return FailedMembers(count: try number(values[0]) + (isOther ? 1 : 0), added: try number(values[1]))
    }

    /// - Throws: ``RedisError``.
    public func takeBackFailures(of messageIDs: [String], in id: String) async throws {
        for start in stride(from: 0, to: messageIDs.count, by: Self.batchSize) {
            let batch = messageIDs[start..<min(messageIDs.count, start + Self.batchSize)]
            _ = try await executor.evaluate(GroupScript.takeBack, keys: [id], list: Array(batch))
        }
    }

    /// How many tasks are looked at in one step.
    private static let batchSize = 500

    private static func version(_ text: String) throws(RedisError) -> Int {
        guard let number = Int(text) else {
            throw RedisError(.unexpectedReply, "A number came as '\(PrintableText.escape(text, limit: 50))'")
        }
        return number
    }
}

extension HeldMessage {
    /// As it is kept: since when (ms), the lengths of the actor's and the queue's name in bytes, a space after each; the
    /// names; the message.
    func text() throws -> [UInt8] {
        let bytes =
            switch payload {
            case .bytes(let bytes): bytes
            case .envelope(let envelope): try envelope.encoded()
            }
        let head = "\(since) \(actorName.utf8.count) \(queueName.utf8.count) \(actorName)\(queueName)"
        return Array(head.utf8) + bytes
    }

    /// - Returns: `nil` if it is something else.
    init?(messageID: String, _ text: [UInt8]) {
        var rest = text[...]
        func number() -> Int? {
            guard let space = rest.prefix(20).firstIndex(of: UInt8(ascii: " ")) else { return nil }
            defer { rest = rest[(space + 1)...] }
            return Int(String(decoding: rest[..<space], as: UTF8.self))
        }
        func name(_ length: Int) -> String? {
            guard 0...rest.count ~= length else { return nil }
            defer { rest = rest.dropFirst(length) }
            return String(validating: rest.prefix(length), as: UTF8.self)
        }
        guard let since = number(), let actorLength = number(), let queueLength = number(),
            let actor = name(actorLength), let queue = name(queueLength)
        else { return nil }
        self.init(
            messageID: messageID, actorName: actor, queueName: queue, payload: .bytes(Array(rest)), since: since)
    }
}
