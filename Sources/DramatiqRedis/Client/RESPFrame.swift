/// What a server sends: the answer to a command, or something that nobody asked for.
package enum RESPFrame: Sendable, Equatable {
    /// The answer to the oldest command that has none.
    case reply(RESPValue)
    /// Out of band (RESP3); it answers nothing.
    case push([RESPValue])
}
