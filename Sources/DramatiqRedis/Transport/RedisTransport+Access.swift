import Dramatiq

extension RedisTransport {
    /// Makes sure that the server takes the user and the password, lets the user do what a worker does, and keeps the
    /// namespace's keys in one place.
    ///
    /// - Throws: ``RedisError/Code/authenticationFailed``, ``RedisError/Code/encryptionFailed``,
    ///   ``RedisError/Code/permissionDenied`` with the commands and keys, ``RedisError/Code/invalidConfiguration`` for a
    ///   namespace without a tag on a cluster; another `RedisError`.
    public func verifyAccess(to queues: Set<String>) async throws {
        do {
            // A script goes in full the first time, and then as a digest, which is another command.
            for _ in 0..<2 {
                try await executor.verify(
                    AccessScripts.worker, keys: keys.scriptKeys(id), [id] + queues.map(QueueName.canonical).sorted())
            }
        } catch let error as RedisError where error.isServerError("CROSSSLOT") {
            throw RedisError(
                .invalidConfiguration, "Namespace '\(keys.namespace)' can't be used: \(RedisError.oneSlot)",
                underlyingError: error)
        }
        try await verifyWaiting()
    }

    /// Waiting for messages is a command that no script can run.
    private func verifyWaiting() async throws {
        let key = keys.commits(id) + "-check-l"
        do {
            _ = try await executor.block(
                RedisCommand("BLMOVE", key, key, "LEFT", "LEFT", 0.001), timeout: .milliseconds(1))
        } catch let error as RedisError where error.isServerError("NOPERM") {
            throw RedisError(.permissionDenied, "Redis keeps the user from commands: BLMOVE", underlyingError: error)
        } catch let error as RedisError where error.code == .server && !error.isOutage {
            // A server before 6.2 doesn't have it, and one that is full refuses it: they are asked at intervals.
        }
    }
}
