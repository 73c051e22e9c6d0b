/// What can be an argument of a Redis command: bytes, text, numbers.
public protocol RedisArgument {
    /// How many bytes ``appendRedisBytes(to:)`` adds.
    var redisByteCount: Int { get }

    /// Adds the argument as Redis shall see it, without any framing.
    func appendRedisBytes(to bytes: inout [UInt8])
}

extension Array: RedisArgument where Element == UInt8 {
    public var redisByteCount: Int { count }

    public func appendRedisBytes(to bytes: inout [UInt8]) {
        bytes.append(contentsOf: self)
    }
}

extension ArraySlice: RedisArgument where Element == UInt8 {
    public var redisByteCount: Int { count }

    public func appendRedisBytes(to bytes: inout [UInt8]) {
        bytes.append(contentsOf: self)
    }
}

extension String: RedisArgument {
    public var redisByteCount: Int { utf8.count }

    public func appendRedisBytes(to bytes: inout [UInt8]) {
        bytes.append(contentsOf: utf8)
    }
}

/// In decimal.
extension Int: RedisArgument {
    public var redisByteCount: Int { Decimal.digitCount(magnitude) + (self < 0 ? 1 : 0) }

    public func appendRedisBytes(to bytes: inout [UInt8]) {
        Decimal.append(self, to: &bytes)
    }
}

/// In the shortest form that gives the same number again; `inf`, `-inf` and `nan` as Redis reads them.
extension Double: RedisArgument {
    public var redisByteCount: Int { description.utf8.count }

    public func appendRedisBytes(to bytes: inout [UInt8]) {
        bytes.append(contentsOf: description.utf8)
    }
}
