/// Runs commands on a Redis server. ``RedisClient`` is one; everything else in this module is written against this.
///
/// A connection is shared, and two that use the same executor know it by its identity. Commands that change what the
/// connection is or how it answers (`SELECT`, `SUBSCRIBE`, `MONITOR`, `CLIENT REPLY`, `MULTI` outside of one pipeline,
/// …) don't belong here.
public protocol RedisExecutor: AnyObject, Sendable {
    /// Runs a command.
    ///
    /// - Throws: ``RedisError`` if it fails or can't be sent, `CancellationError` if the task is cancelled before the
    ///   answer is there. A command that was sent may have been run all the same.
    func execute(_ command: RedisCommand) async throws -> RESPValue

    /// Runs commands one after the other, sent at once.
    ///
    /// They are not a transaction: others' commands may come in between, and one that fails stops none behind it. A
    /// script that the server lost is repeated, and is then run after the others.
    ///
    /// - Returns: as many results as there are commands, in their order. What fails is in here and not thrown.
    /// - Throws: `CancellationError`, as ``execute(_:)``.
    func pipeline(_ commands: [RedisCommand]) async throws -> [Result<RESPValue, RedisError>]

    /// Runs a command that may keep its connection waiting, such as `BLMOVE`, on a connection of its own.
    ///
    /// Cancelling the task closes that connection. A command that takes something from the server may have taken it by
    /// then.
    ///
    /// - Parameters:
    ///   - command: one that waits.
    ///   - timeout: for how long the server was told to wait, `nil` for ever. When it is over and the time for any
    ///     command as well, the connection is given up.
    /// - Throws: as ``execute(_:)``.
    func block(_ command: RedisCommand, timeout: Duration?) async throws -> RESPValue
}

extension RedisExecutor {
    /// Evaluates a script; sends its source only if the server doesn't know it.
    ///
    /// - Throws: as ``execute(_:)``.
    public func evaluate<each Argument: RedisArgument>(
        _ script: RedisScript,
        keys: [String],
        _ arguments: repeat each Argument
    ) async throws -> RESPValue {
        try await execute(RedisCommand(script, keys: keys, repeat each arguments))
    }

    /// Evaluates a script with any number of arguments.
    ///
    /// - Throws: as ``execute(_:)``.
    public func evaluate<each Argument: RedisArgument, List: Collection>(
        _ script: RedisScript,
        keys: [String],
        _ arguments: repeat each Argument,
        list: List
    ) async throws -> RESPValue where List.Element: RedisArgument {
        try await execute(RedisCommand(script, keys: keys, repeat each arguments, list: list))
    }
}
