import DramatiqRedis

/// Writes replies as a server would.
enum RESPWriter {
    static func bytes(_ value: RESPValue) -> [UInt8] {
        switch value {
        case .null: Array("_\r\n".utf8)
        case .string(let bytes): Array("$\(bytes.count)\r\n".utf8) + bytes + Array("\r\n".utf8)
        case .integer(let number): Array(":\(number)\r\n".utf8)
        case .double(let number): Array(",\(number)\r\n".utf8)
        case .boolean(let value): Array("#\(value ? "t" : "f")\r\n".utf8)
        case .bigNumber(let digits): Array("(".utf8) + digits + Array("\r\n".utf8)
        case .array(let elements): Array("*\(elements.count)\r\n".utf8) + elements.flatMap(bytes)
        case .set(let elements): Array("~\(elements.count)\r\n".utf8) + elements.flatMap(bytes)
        case .map(let pairs): Array("%\(pairs.count)\r\n".utf8) + pairs.flatMap { bytes($0.key) + bytes($0.value) }
        case .error(let error): Array("-\(error.message)\r\n".utf8)
        }
    }

    static func randomValue(_ random: inout some RandomNumberGenerator, depth: Int) -> RESPValue {
        switch Int.random(in: 0..<(depth > 0 ? 10 : 7), using: &random) {
        case 0: .null
        case 1: .integer(Int(truncatingIfNeeded: random.next()))
        case 2: .double(Double.random(in: -1e9...1e9, using: &random))
        case 3: .boolean(Bool.random(using: &random))
        case 4: .bigNumber(Array(String(random.next()).utf8))
        case 5: .error(RedisError(.server, "ERR \(random.next())"))
        case 6: .string((0..<Int.random(in: 0..<20, using: &random)).map { _ in .random(in: 0...255, using: &random) })
        case 7: .array(randomValues(&random, depth: depth - 1))
        case 8: .set(randomValues(&random, depth: depth - 1))
        default:
            .map(
                randomValues(&random, depth: depth - 1).map {
                    .init(key: $0, value: randomValue(&random, depth: depth - 1))
                })
        }
    }

    private static func randomValues(_ random: inout some RandomNumberGenerator, depth: Int) -> [RESPValue] {
        (0..<Int.random(in: 0..<5, using: &random)).map { _ in randomValue(&random, depth: depth) }
    }
}
