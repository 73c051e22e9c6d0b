/// What is said on a new connection before any command: the protocol's version, who we are, which database.
///
/// RESP3 is asked for with `HELLO 3`; a server that doesn't know it gets `AUTH` and speaks RESP2.
///
/// https://redis.io/docs/latest/commands/hello/
package struct Handshake: Sendable {
    enum Step: Sendable, Equatable {
        case hello, authenticate, name, select
    }

    package enum Action: Sendable {
        /// Send this; its answer is the next event.
        case send(RedisCommand)
        /// The connection is ready.
        case ready
        /// It can't be used.
        case fail(RedisError)
    }

    private let user: String?
    private let password: String?
    private let database: Int
    private let clientName: String?
    private var step = Step.hello
    /// Whether the server answers in RESP3, unless it says otherwise.
    package private(set) var speaksNewProtocol = true

    package init(_ configuration: RedisConfiguration) {
        user = configuration.user
        password = configuration.password
        database = configuration.database
        clientName = configuration.clientName
    }

    /// A user without a password is one for whom the server takes any.
    private var authenticates: Bool { user != nil || password != nil }

    /// Whether the server has not said anything yet.
    package var awaitsGreeting: Bool { step == .hello }

    /// The first command.
    package func start() -> RedisCommand {
        var hello = RedisCommand("HELLO", "3")
        if authenticates {
            hello.append("AUTH")
            hello.append(user ?? "default")
            hello.append(password ?? "")
        }
        return hello
    }

    /// Takes the answer to the command that was sent last.
    package mutating func receive(_ reply: RESPValue) -> Action {
        guard case .error(let error) = reply else {
            guard isExpected(reply) else { return .fail(Self.unasked) }
            return next(after: step, isAuthenticated: true)
        }
        switch step {
        case .hello: return helloFailed(error)
        case .authenticate: return .fail(refusal(error))
        // Names are for people who look at the server; one that doesn't know them is as good.
        case .name: return next(after: .name, isAuthenticated: true)
        case .select: return .fail(refusal(error))
        }
    }

    /// Whether the server can have answered this to what was said. Otherwise it has answered something that nobody asked,
    /// and all that it answers from now on would be taken for the answer to what is said next.
    private func isExpected(_ reply: RESPValue) -> Bool {
        step == .hello ? Self.isGreeting(reply) : reply == .string("OK")
    }

    /// Whether a reply is the answer to `HELLO`.
    static func isGreeting(_ reply: RESPValue) -> Bool {
        guard case .map(let pairs) = reply else { return false }
        return pairs.contains { $0.key == .string("proto") }
    }

    /// The server has answered what nobody had asked.
    static var unasked: RedisError {
        RedisError(
            .malformedReply, "The server answered what nobody had asked: its answers can't be told apart any more",
            mayHaveTakenEffect: true)
    }

    private mutating func helloFailed(_ error: RedisError) -> Action {
        let isRefused = ["WRONGPASS", "NOAUTH", "DENIED"].contains { error.isServerError($0) }
        if isRefused || error.isTransient { return .fail(refusal(error)) }
        speaksNewProtocol = false
        return next(after: .hello, isAuthenticated: false)
    }

    private mutating func next(after previous: Step, isAuthenticated: Bool) -> Action {
        if previous == .hello, !isAuthenticated, authenticates {
            step = .authenticate
            let password = password ?? ""
            return .send(user.map { RedisCommand("AUTH", $0, password) } ?? RedisCommand("AUTH", password))
        }
        if previous == .hello || previous == .authenticate, let clientName {
            step = .name
            return .send(RedisCommand("CLIENT", "SETNAME", clientName))
        }
        if previous != .select, database != 0 {
            step = .select
            return .send(RedisCommand("SELECT", database))
        }
        return .ready
    }

    private func refusal(_ error: RedisError) -> RedisError {
        if error.isTransient { return error }
        let what = step == .select ? "database \(database)" : "user '\(user ?? "default")'"
        return RedisError(.authenticationFailed, "The server refused \(what)", underlyingError: error)
    }
}
