/// A command with its arguments, encoded as it goes over the wire (RESP: an array of bulk strings).
///
///     RedisCommand("SET", key, bytes, "PX", 1000)
///     RedisCommand("SREM", key, list: ids)
///
/// A command made from a ``RedisScript`` is sent as `EVALSHA`, or as `EVAL` where the server doesn't know the script.
///
/// https://redis.io/docs/latest/develop/reference/protocol-spec/
public struct RedisCommand: Sendable {
    /// How many arguments ``body`` holds, the command's name included.
    private(set) var argumentCount: Int
    /// The arguments, each as `$length CRLF bytes CRLF`. For a script: those that follow its digest.
    private(set) var body: [UInt8]
    /// What is to be evaluated, if anything: an executor whose server doesn't know it sends `EVAL` and its source in place
    /// of the first two ``arguments``.
    public let script: RedisScript?

    /// A command.
    public init<each Argument: RedisArgument>(_ name: String, _ arguments: repeat each Argument) {
        var size = Self.encodedSize(name)
        for argument in repeat each arguments { size += Self.encodedSize(argument) }
        self.init(capacity: size, script: nil)
        append(name)
        for argument in repeat each arguments { append(argument) }
    }

    /// A command that ends in any number of arguments.
    public init<each Argument: RedisArgument, List: Collection>(
        _ name: String,
        _ arguments: repeat each Argument,
        list: List
    ) where List.Element: RedisArgument {
        var size = Self.encodedSize(name)
        for argument in repeat each arguments { size += Self.encodedSize(argument) }
        for argument in list { size += Self.encodedSize(argument) }
        self.init(capacity: size, script: nil)
        append(name)
        for argument in repeat each arguments { append(argument) }
        for argument in list { append(argument) }
    }

    /// The evaluation of a script.
    ///
    /// - Parameters:
    ///   - script: the script.
    ///   - keys: `KEYS`.
    ///   - arguments: `ARGV`.
    public init<each Argument: RedisArgument>(
        _ script: RedisScript,
        keys: [String],
        _ arguments: repeat each Argument
    ) {
        var size = Self.encodedSize(keys.count)
        for key in keys { size += Self.encodedSize(key) }
        for argument in repeat each arguments { size += Self.encodedSize(argument) }
        self.init(capacity: size, script: script)
        append(keys.count)
        for key in keys { append(key) }
        for argument in repeat each arguments { append(argument) }
    }

    /// The evaluation of a script with any number of arguments.
    ///
    /// - Parameters:
    ///   - script: the script.
    ///   - keys: `KEYS`.
    ///   - arguments: the first of `ARGV`.
    ///   - list: the others.
    public init<each Argument: RedisArgument, List: Collection>(
        _ script: RedisScript,
        keys: [String],
        _ arguments: repeat each Argument,
        list: List
    ) where List.Element: RedisArgument {
        var size = Self.encodedSize(keys.count)
        for key in keys { size += Self.encodedSize(key) }
        for argument in repeat each arguments { size += Self.encodedSize(argument) }
        for argument in list { size += Self.encodedSize(argument) }
        self.init(capacity: size, script: script)
        append(keys.count)
        for key in keys { append(key) }
        for argument in repeat each arguments { append(argument) }
        for argument in list { append(argument) }
    }

    private init(capacity: Int, script: RedisScript?) {
        self.script = script
        argumentCount = 0
        body = []
        body.reserveCapacity(capacity)
    }

    /// Makes room for arguments of about so many bytes, so that adding them needs no more memory.
    mutating func reserve(_ size: Int) {
        body.reserveCapacity(body.count + size)
    }

    /// Adds an argument at the end.
    public mutating func append(_ argument: some RedisArgument) {
        argumentCount += 1
        body.append(UInt8(ascii: "$"))
        Decimal.append(argument.redisByteCount, to: &body)
        body.append(UInt8(ascii: "\r"))
        body.append(UInt8(ascii: "\n"))
        argument.appendRedisBytes(to: &body)
        body.append(UInt8(ascii: "\r"))
        body.append(UInt8(ascii: "\n"))
    }

    /// The arguments, the command's name first; for a script `EVALSHA` and its digest.
    public var arguments: [[UInt8]] {
        var rest = ((script?.evaluateByDigest ?? []) + body)[...]
        var arguments: [[UInt8]] = []
        while let argument = rest.popArgument() { arguments.append(Array(argument)) }
        return arguments
    }

    private static func encodedSize(_ argument: some RedisArgument) -> Int {
        let count = argument.redisByteCount
        return count + Decimal.digitCount(UInt(bitPattern: count)) + 5
    }
}
