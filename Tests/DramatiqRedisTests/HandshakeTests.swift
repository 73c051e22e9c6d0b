import DramatiqRedis
import Testing

@Suite struct HandshakeTests {
    private static let hello = RESPValue.map([.init(key: .string("proto"), value: .integer(3))])

    @Test func withNothingToSayHelloIsAll() {
        #expect(talk(RedisConfiguration(), [Self.hello]) == ["HELLO 3", "ready"])
    }

    @Test func theNewProtocolTakesUserAndPasswordAtOnce() {
        var configuration = RedisConfiguration(user: "worker", password: "secret", database: 3)
        configuration.clientName = "w1"
        #expect(
            talk(configuration, [Self.hello, .string("OK"), .string("OK")]) == [
                "HELLO 3 AUTH worker secret", "CLIENT SETNAME w1", "SELECT 3", "ready",
            ])
        configuration = RedisConfiguration(password: "secret")
        #expect(talk(configuration, [Self.hello]) == ["HELLO 3 AUTH default secret", "ready"])
    }

    /// The server has users that need none.
    @Test func aUserWithoutAPasswordIsNamedAllTheSame() {
        let configuration = RedisConfiguration(user: "worker")
        #expect(talk(configuration, [Self.hello]).first == "HELLO 3 AUTH worker ")
        #expect(talk(configuration, [.failed("ERR unknown command"), .string("OK")])[1] == "AUTH worker ")
    }

    @Test(arguments: ["ERR unknown command 'HELLO'", "NOPROTO unsupported protocol version", "NOPERM no permissions"])
    func aServerWithoutItIsSpokenToInTheOldOne(error: String) {
        #expect(
            talk(
                RedisConfiguration(user: "worker", password: "secret", database: 3),
                [.failed(error), .string("OK"), .string("OK")])
                == ["HELLO 3 AUTH worker secret", "AUTH worker secret", "SELECT 3", "ready"])
        #expect(
            talk(RedisConfiguration(password: "secret"), [.failed(error), .string("OK")])
                == ["HELLO 3 AUTH default secret", "AUTH secret", "ready"])
        #expect(talk(RedisConfiguration(), [.failed(error)]) == ["HELLO 3", "ready"])
    }

    @Test func aNameThatIsRefusedDoesNotMatter() {
        var configuration = RedisConfiguration(database: 1)
        configuration.clientName = "with space"
        #expect(
            talk(configuration, [Self.hello, .failed("ERR Client names cannot contain spaces"), .string("OK")])
                == ["HELLO 3", "CLIENT SETNAME with space", "SELECT 1", "ready"])
    }

    @Test func refusalsAreNotTransient() {
        let configuration = RedisConfiguration(user: "worker", password: "secret", database: 99)
        for (replies, code) in [
            ([.failed("WRONGPASS invalid username-password pair or user is disabled.")], "authenticationFailed"),
            ([.failed("ERR unknown command"), .failed("ERR invalid password")], "authenticationFailed"),
            ([.failed("DENIED Redis is running in protected mode")], "authenticationFailed"),
            ([Self.hello, .failed("ERR DB index is out of range")], "authenticationFailed"),
        ] as [([RESPValue], String)] {
            #expect(talk(configuration, replies).last == "\(code), final")
        }
        #expect(
            talk(RedisConfiguration(), [.failed("NOAUTH HELLO must be called with the client already authenticated")])
                .last == "authenticationFailed, final")
    }

    @Test func outagesAreTransient() {
        for error in ["LOADING Redis is loading the dataset in memory", "ERR max number of clients reached"] {
            #expect(talk(RedisConfiguration(), [.failed(error)]).last == "server, transient")
            #expect(talk(RedisConfiguration(database: 1), [Self.hello, .failed(error)]).last == "server, transient")
        }
    }

    @Test(
        arguments: [
            .string("OK"), .integer(1), .null, .array([]), .map([]), .string("PONG"), .boolean(true), .set([]),
            .map([.init(key: .string("server"), value: .string("x"))]),
        ] as [RESPValue])
    func whatWasNotAskedIsNoGreeting(reply: RESPValue) {
        #expect(talk(RedisConfiguration(), [reply]).last == "malformedReply, final")
        #expect(
            talk(RedisConfiguration(database: 1), [Self.hello, reply]).last
                == (reply == .string("OK") ? "ready" : "malformedReply, final"))
    }

    @Test func errorsNeverNameThePassword() {
        var handshake = Handshake(RedisConfiguration(user: "worker", password: "secret"))
        guard case .fail(let error) = handshake.receive(.failed("WRONGPASS invalid")) else {
            Issue.record("not refused")
            return
        }
        #expect(error.description.contains("worker") && !error.description.contains("secret"))
    }

    /// What is said, with what comes of it at the end.
    private func talk(_ configuration: RedisConfiguration, _ replies: [RESPValue]) -> [String] {
        var handshake = Handshake(configuration)
        var said = [handshake.start().text]
        for reply in replies {
            switch handshake.receive(reply) {
            case .send(let command): said.append(command.text)
            case .ready: said.append("ready")
            case .fail(let error): said.append("\(error.code), \(error.isTransient ? "transient" : "final")")
            }
        }
        return said
    }
}

extension RESPValue {
    fileprivate static func failed(_ message: String) -> RESPValue {
        .error(RedisError(.server, message))
    }
}
