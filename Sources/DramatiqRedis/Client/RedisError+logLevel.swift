import Logging

extension RedisError {
    /// How loud it is said: an outage is over by itself, for the others somebody has to do something.
    var logLevel: Logger.Level { isTransient ? .warning : .error }
}

extension Error {
    /// How loud an error is said that may be a ``RedisError``.
    var redisLogLevel: Logger.Level { (self as? RedisError)?.logLevel ?? .warning }
}
