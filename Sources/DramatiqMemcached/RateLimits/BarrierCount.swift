import Dramatiq

/// What a barrier's counter says: the parties left as Python reads them, and beside them, in flags that Python ignores
/// and leaves as they are, how many named arrivals it has counted and in how many lists their names are.
struct BarrierCount: Equatable {
    /// How many parties a barrier takes: as many as the flags can count.
    static let maxParties = 1 << 20 - 1
    /// How many names a list is meant for.
    private static let listLength = 256
    private static let maxListsExponent = 8

    var left: Int
    /// How many lists there are: none, or a power of two.
    var lists: Int
    /// How many of the names that are listed are counted.
    var counted: Int

    /// - Throws: `RateLimitError` for more than ``maxParties``.
    init(parties: Int, lists: Int? = nil) throws {
        guard parties <= Self.maxParties else {
            throw RateLimitError.invalidArgument(
                "A barrier in Memcached takes \(Self.maxParties) parties, and \(parties) are too many")
        }
        left = parties
        counted = 0
        self.lists = lists ?? (parties > 1 ? Self.lists(for: parties) : 0)
    }

    /// How many lists the names of so many parties need.
    static func lists(for parties: Int) -> Int {
        var exponent = 0
        while exponent < maxListsExponent, parties > listLength << exponent { exponent += 1 }
        return 1 << exponent
    }

    /// - Throws: `RateLimitError` if the key holds something else.
    init(_ entry: Entry, _ key: String) throws {
        left = try entry.number(key)
        let exponent = Int(entry.mark & 0xF) - 1
        guard (0...Self.maxParties).contains(left), exponent <= Self.maxListsExponent else {
            throw RateLimitError.foreignValue(
                key: key, expected: "a barrier of at most \(Self.maxParties) parties")
        }
        lists = exponent < 0 ? 0 : 1 << exponent
        counted = Int(entry.mark >> 4)
    }

    var entry: Entry {
        let exponent = lists == 0 ? 0 : UInt32(lists.trailingZeroBitCount) + 1
        return Entry(number: "\(left)", mark: UInt32(counted) << 4 | exponent)
    }
}
