package import NIOCore

/// A request for one or more commands on its way through a connection.
package struct PendingRequest<Request> {
    /// Grows from one request to the next.
    package let id: UInt64
    /// Who waits.
    package let request: Request
    /// How many answers it gets.
    package let commandCount: Int
    /// When it is given up.
    package let deadline: NIODeadline

    package init(id: UInt64, request: Request, commandCount: Int, deadline: NIODeadline) {
        self.id = id
        self.request = request
        self.commandCount = commandCount
        self.deadline = deadline
    }

    /// What becomes of it if it never had an answer.
    func failure(_ error: RedisError) -> RequestOutcome<Request> {
        RequestOutcome(request: request, results: Array(repeating: .failure(error), count: commandCount))
    }
}

extension PendingRequest: Sendable where Request: Sendable {}

/// A request that has all of its answers, or gets no more.
package struct RequestOutcome<Request> {
    package let request: Request
    package let results: [Result<RESPValue, RedisError>]
}
