import Dramatiq
import DramatiqRedis
import Testing

@Suite struct RESPValueTests {
    @Test func bothProtocolsGiveTheSame() throws {
        #expect(try RESPValue.string("12").integer() == 12)
        #expect(try RESPValue.integer(12).integer() == 12)
        #expect(try RESPValue.string("1.5").double() == 1.5)
        #expect(try RESPValue.double(1.5).double() == 1.5)
        #expect(try RESPValue.integer(2).double() == 2)
        #expect(try RESPValue.integer(1).boolean())
        #expect(try RESPValue.boolean(true).integer() == 1)
        let pair = RESPValue.Pair(key: .string("a"), value: .integer(1))
        #expect(try RESPValue.map([pair]).pairs() == [pair])
        #expect(try RESPValue.array([.string("a"), .integer(1)]).pairs() == [pair])
        #expect(try RESPValue.set([.integer(1)]).array() == [.integer(1)])
        #expect(try RESPValue.bigNumber([49]).bytes() == [49])
        #expect(RESPValue.null.isNull && !RESPValue.integer(0).isNull)
    }

    @Test func whatDoesNotFitIsATypedError() {
        for attempt in [
            { _ = try RESPValue.null.bytes() }, { _ = try RESPValue.integer(1).bytes() },
            { _ = try RESPValue.string([0xFF]).string() }, { _ = try RESPValue.string("x").integer() },
            { _ = try RESPValue.null.integer() }, { _ = try RESPValue.array([]).double() },
            { _ = try RESPValue.integer(2).boolean() }, { _ = try RESPValue.null.array() },
            { _ = try RESPValue.array([.integer(1)]).pairs() },
        ] as [() throws -> Void] {
            let error = #expect(throws: RedisError.self) { try attempt() }
            #expect(error?.code == .unexpectedReply)
            #expect(error?.isTransient == false)
        }
    }

    @Test func anErrorInsideAnArrayIsThrownAsItself() {
        let error = RedisError(.server, "WRONGTYPE no")
        #expect(throws: error) { try RESPValue.error(error).integer() }
    }

    @Test(arguments: [
        "LOADING Redis is loading the dataset in memory", "READONLY You can't write against a read only replica.",
        "MASTERDOWN Link with MASTER is down", "TRYAGAIN Multiple keys request during rehashing of slot",
        "OOM command not allowed when used memory > 'maxmemory'.", "BUSY Redis is busy running a script.",
        "CLUSTERDOWN The cluster is down", "NOREPLICAS Not enough good replicas to write.",
        "MISCONF Redis is configured to save RDB snapshots", "ERR max number of clients reached",
        "ERR Error running script (call to f_1): @user_script:1: @user_script: 1: -OOM command not allowed",
    ])
    func outagesAreTransient(message: String) {
        let error: any TransientError = RedisError(.server, message)
        #expect(error.isTransient)
    }

    @Test(arguments: ["ERR unknown command", "WRONGTYPE x", "NOSCRIPT x", "OOMX x", "ERR OOM x", "NOAUTH x", ""])
    func otherErrorsAreNot(message: String) {
        let error = RedisError(.server, message)
        #expect(!error.isTransient)
        #expect(error.serverCode == String(message.prefix { $0 != " " }))
    }
}
