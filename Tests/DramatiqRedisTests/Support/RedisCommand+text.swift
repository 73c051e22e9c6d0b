import DramatiqRedis

extension RedisCommand {
    var name: String { arguments.first.map { String(decoding: $0, as: UTF8.self) } ?? "" }

    var text: String { arguments.map { String(decoding: $0, as: UTF8.self) }.joined(separator: " ") }
}
