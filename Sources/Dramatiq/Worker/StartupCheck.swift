import Logging

/// A middleware that needs something before a worker can run.
package protocol StartupCheck: Middleware {
    /// Makes sure that it is there.
    ///
    /// - Throws: what has to be mended first; a ``TransientError`` is waited out.
    func verifyAccess(_ broker: Broker) async throws
}

extension Worker {
    /// Makes sure that everything that the worker needs is there and allowed, and waits while it can't be reached.
    ///
    /// - Returns: `false` if a shutdown has begun before.
    /// - Throws: what has to be mended first.
    func becomeReady() async throws -> Bool {
        var failures = 0
        while shutdown.phase == .running {
            do {
                try await untilShutdown { try await self.verifyAccess() }
                return shutdown.phase == .running
            } catch let error as any TransientError where error.isTransient {
                failures += 1
                broker.logger.warning(
                    "Can't begin to work yet, trying again",
                    metadata: ["failures": "\(failures)", "error": "\(error)"])
                await shutdown.wait(for: .draining, until: .now + Self.outageBackoff.backoff(after: failures))
            }
        }
        return false
    }

    private func verifyAccess() async throws {
        try await broker.transport.verifyAccess(to: queues ?? Set(broker.queueNames))
        for case let check as any StartupCheck in broker.middleware { try await check.verifyAccess(broker) }
    }

    /// Does a step that is given up when a shutdown begins.
    private func untilShutdown(_ step: @escaping @Sendable () async throws -> Void) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await step() }
            group.addTask { await self.shutdown.wait(for: .draining) }
            defer { group.cancelAll() }
            try await group.next()
        }
    }
}
