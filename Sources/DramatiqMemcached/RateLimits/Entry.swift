import Dramatiq

/// A value and its flags, as pylibmc writes them: a number is decimal text, with the flag for one.
struct Entry: Sendable, Equatable {
    /// pylibmc's `PYLIBMC_FLAG_LONG`, which Python's integers have.
    private static let numberFlag: UInt32 = 1 << 2
    /// Those of `bytes`, of Python 2's integers, of booleans and of Python 3's integers.
    private static let numberFlags: Set<UInt32> = [0, 1 << 1, numberFlag, 1 << 4]

    let text: String
    let flags: UInt32

    init(text: String, flags: UInt32) {
        self.text = text
        self.flags = flags
    }

    /// A number, or something else that pylibmc shall take for one.
    ///
    /// - Parameter mark: what is kept in the flags that pylibmc ignores; 24 bits. Python's `incr` and `decr` leave it as
    ///   it is.
    init(number: String, mark: UInt32 = 0) {
        text = number
        flags = mark << 8 | Self.numberFlag
    }

    init(_ number: Int) {
        self.init(number: String(number))
    }

    /// What is kept in the flags that pylibmc ignores.
    var mark: UInt32 { flags >> 8 }

    /// Whether it was written as a number by pylibmc or as by it, as the count of a barrier is.
    var isMarkedNumber: Bool { flags & 0xFF == Self.numberFlag }

    /// Whether it can be the record of a barrier's release: a number, which Python may have had to write as bytes.
    var isReleaseRecord: Bool {
        let digits = digits.utf8
        let magnitude = digits.first == UInt8(ascii: "-") ? digits.dropFirst() : digits[...]
        return Self.numberFlags.contains(flags & 0xFF) && !magnitude.isEmpty
            && magnitude.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
    }

    /// The text of a number, without the spaces with which the server replaces digits that fell away.
    var digits: Substring { text.prefix { $0 != " " && $0 != "\0" } }

    /// The number.
    ///
    /// - Throws: `RateLimitError.Code.foreignValue` if the key holds something else.
    func number(_ key: String) throws -> Int {
        guard Self.numberFlags.contains(flags & 0xFF), let number = Int(digits) else {
            throw RateLimitError.foreignValue(key: key, expected: "a number")
        }
        return number
    }
}

/// An entry as it was read.
struct KnownEntry: Sendable {
    let entry: Entry
    /// Tells whether it was changed since.
    let token: UInt64
    let expiry: Expiry
}

extension MemcachedClient {
    /// Sets a key unless it exists. Returns whether it was set.
    func add(_ key: String, _ entry: Entry, _ expiry: Expiry) async throws -> Bool {
        try await execute(.add(key, entry, expiry)).isDone()
    }

    func entry(_ key: String) async throws -> KnownEntry? {
        try await execute(.get(key)).entry()
    }

    func entries(_ keys: [String]) async throws -> [KnownEntry?] {
        try await execute(keys.map(MetaCommand.get)).map { try $0.entry() }
    }

    /// Sets a key that is as it was read; `nil` for one that wasn't there. Returns whether it was set.
    func replace(
        _ key: String,
        _ known: KnownEntry?,
        _ entry: Entry,
        _ expiry: Expiry
    ) async throws -> Bool {
        guard let known else { return try await add(key, entry, expiry) }
        return try await execute(.compareAndSet(key, token: known.token, entry, expiry)).isDone()
    }
}

extension MetaReply {
    /// Whether it was done; otherwise the key is there, is not there or has changed.
    func isDone() throws(MemcachedError) -> Bool {
        switch self {
        case .done: return true
        case .missing, .notStored, .changed: return false
        case .error(let text): throw MemcachedError(.server, text)
        case .nothing: throw MemcachedError(.malformedReply, "The server answered nothing to a command")
        }
    }

    /// What is known of a key; `nil` if it isn't there.
    func entry() throws(MemcachedError) -> KnownEntry? {
        guard try isDone(), case .done(let item) = self else { return nil }
        guard let flags = item.flags, let token = item.token, let seconds = item.seconds else {
            throw MemcachedError(.malformedReply, "The server left out what it was asked for")
        }
        return KnownEntry(
            entry: Entry(text: String(decoding: item.value, as: UTF8.self), flags: flags), token: token,
            expiry: Expiry(remaining: seconds))
    }
}
