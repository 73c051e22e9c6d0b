/// Writes messages as JSON, to the byte as Python's dramatiq does, and reads them without recursion.
///
/// Arguments and the containers among the options stay slices of the incoming bytes: they are checked once and copied
/// when the message is written again.
public struct JSONMessageEncoder: MessageEncoder {
    /// How deep arrays and objects may be nested: a workflow nested 1 000 deep is 2 000 levels.
    public static let defaultMaxDepth = 4096
    /// The largest message, in bytes: 32 MiB, or a workflow of more than a hundred thousand tasks. One such message can be
    /// processed with a gigabyte of memory.
    public static let defaultMaxSize = 32 << 20

    /// How deep arrays and objects may be nested. Defaults to 4096 levels.
    public var maxDepth: Int
    /// The largest message to read or write, in bytes. Defaults to 32 MiB.
    public var maxSize: Int
    /// Whether text outside ASCII is escaped (`\u00e9`), as Python does by default. Both forms are read.
    /// Defaults to `true`.
    public var escapesNonASCII: Bool

    public init(
        maxDepth: Int = JSONMessageEncoder.defaultMaxDepth,
        maxSize: Int = JSONMessageEncoder.defaultMaxSize,
        escapesNonASCII: Bool = true
    ) {
        self.maxDepth = maxDepth
        self.maxSize = maxSize
        self.escapesNonASCII = escapesNonASCII
    }

    /// The message as JSON.
    ///
    /// - Throws: ``EncodeError`` if it is larger than ``maxSize`` or nested deeper than ``maxDepth``, and so could
    ///   not be read again, or ``ArgumentFailure``.
    public func encode(_ message: Message) throws -> [UInt8] {
        if let failure = message.argumentFailure { throw failure }
        var writer = JSONWriter(capacity: 256 + message.textSize, escapesNonASCII: escapesNonASCII)
        writer.write(message)
        try message.checkNames()
        if message.depth > maxDepth {
            // That is what it may be; now it is worth a look.
            let depth = JSONText.depth(of: writer.bytes[...])
            guard depth <= maxDepth else {
                throw EncodeError.tooDeep(messageID: message.messageID, depth: depth, limit: maxDepth)
            }
        }
        guard writer.bytes.count <= maxSize else {
            throw EncodeError.tooLarge(messageID: message.messageID, size: writer.bytes.count, limit: maxSize)
        }
        return writer.bytes
    }

    /// Reads a message; every byte is checked.
    ///
    /// - Throws: ``DecodeError`` with what is wrong, and where.
    public func decode(_ bytes: [UInt8]) throws(DecodeError) -> Message {
        guard bytes.count <= maxSize else {
            throw DecodeError(
                .tooLarge, "The message has \(bytes.count) bytes, the limit is \(maxSize)", offset: maxSize)
        }
        var fields = MessageFields(extraField: nil)
        let isCompact = try JSONScanner.scan(bytes, maxDepth: maxDepth - 1) { scanner throws(DecodeError) in
            try fields.scan(&scanner, bytes[...])
            return !scanner.hasWhitespace
        }
        guard isCompact else { return try decode(JSONText.compacted(bytes[...])) }
        return try fields.message(bytes[...])
    }

    /// Reads a message from what stands between its braces. It may have one more field, whose value is left out.
    func decode(content: ArraySlice<UInt8>, extraField: StaticString?) throws(DecodeError) -> Message {
        var fields = MessageFields(extraField: extraField)
        var isCompact = true
        if !content.isEmpty {
            isCompact = try JSONScanner.scan(content, maxDepth: maxDepth - 1) {
                scanner throws(DecodeError) in
                try fields.scanMembers(&scanner, content)
                try scanner.expectEnd()
                return !scanner.hasWhitespace
            }
        }
        guard isCompact else { return try decode(content: JSONText.compacted(content)[...], extraField: extraField) }
        return try fields.message(content)
    }
}

extension Message {
    /// How deep arrays and objects are nested in the message's text at most, its own braces included.
    package var depth: Int {
        1 + max(args.storage.nesting.depth, kwargs.storage.nesting.depth, options.object.storage.nesting.depth)
    }

    /// - Throws: ``EncodeError`` if a name, key or id is so long that nobody would read it, or there are too many options.
    fileprivate func checkNames() throws(EncodeError) {
        var longest = max(messageID.utf8.count, actorName.utf8.count, queueName.utf8.count)
        if case .list(let members, _) = options.object.storage {
            guard members.count <= Self.maxOptionCount else {
                throw .tooManyOptions(messageID: messageID, count: members.count, limit: Self.maxOptionCount)
            }
            for index in members.indices { longest = max(longest, members[index].key.utf8.count) }
        }
        if case .list(let members, _) = kwargs.storage {
            for index in members.indices { longest = max(longest, members[index].key.utf8.count) }
        }
        if longest <= Self.maxNameSize { return }
        let names = [("a message_id", messageID), ("an actor_name", actorName), ("a queue_name", queueName)]
        let field = names.first { $0.1.utf8.count == longest }?.0 ?? "the name of an option or a keyword argument"
        throw .tooLong(messageID: messageID, field: field, size: longest, limit: Self.maxNameSize)
    }

    /// How many bytes of it are text that is copied as it is.
    var textSize: Int {
        var size = (args.validatedText?.count ?? 0) + (kwargs.storage.text?.count ?? 0)
        if case .list(let members, _) = options.object.storage {
            for index in members.indices {
                if case .array(let array) = members[index].value { size += array.validatedText?.count ?? 0 }
            }
        }
        return size
    }
}

extension JSONWriter {
    mutating func write(_ message: Message) {
        append(UInt8(ascii: "{"))
        writeFields(message)
        append(UInt8(ascii: "}"))
    }

    /// Writes a message's fields without the braces around them.
    package mutating func writeFields(_ message: Message) {
        append("\"queue_name\":")
        write(message.queueName)
        append(",\"actor_name\":")
        write(message.actorName)
        append(",\"args\":")
        write(message.args)
        append(",\"kwargs\":")
        write(message.kwargs)
        append(",\"options\":")
        write(message.options.object)
        append(",\"message_id\":")
        write(message.messageID)
        append(",\"message_timestamp\":")
        switch message.messageTimestamp.value {
        case .integer(let milliseconds): write(milliseconds)
        case .fractional(let milliseconds): write(milliseconds)
        }
    }
}

/// Where each field of a message lies in its text.
private struct MessageFields {
    private enum Field: CaseIterable {
        case queueName, actorName, args, kwargs, options, messageID, messageTimestamp
        /// One that is read over.
        case extra

        static let allCases: [Field] = [
            .queueName, .actorName, .args, .kwargs, .options, .messageID, .messageTimestamp,
        ]

        var name: StaticString {
            switch self {
            case .queueName: "queue_name"
            case .actorName: "actor_name"
            case .args: "args"
            case .kwargs: "kwargs"
            case .options: "options"
            case .messageID: "message_id"
            case .messageTimestamp: "message_timestamp"
            case .extra: ""
            }
        }
    }

    private struct Place {
        var start = -1
        var end = -1
    }

    private let extraField: StaticString?
    /// The place of the field that usually comes next.
    private var expected = 0
    private var queueName = Place()
    private var actorName = Place()
    private var args = Place()
    private var kwargs = Place()
    private var options = Place()
    private var optionMembers: [JSONObject.Member] = []
    private var messageID = Place()
    private var messageTimestamp = Place()
    /// Whether one of the fields is nested deeper than most.
    private var isDeep = false

    init(extraField: StaticString?) {
        self.extraField = extraField
    }

    mutating func scan(_ scanner: inout JSONScanner, _ bytes: ArraySlice<UInt8>) throws(DecodeError) {
        scanner.skipWhitespace()
        guard scanner.byte == UInt8(ascii: "{") else {
            // A valid text of another type deserves another answer than noise.
            let start = scanner.position
            try scanner.skipValue()
            throw DecodeError(.wrongType, "A message must be a JSON object", offset: start)
        }
        scanner.position += 1
        scanner.skipWhitespace()
        if scanner.byte != UInt8(ascii: "}") { try scanMembers(&scanner, bytes) }
        try scanner.expect(UInt8(ascii: "}"))
        scanner.skipWhitespace()
        try scanner.expectEnd()
    }

    mutating func scanMembers(_ scanner: inout JSONScanner, _ bytes: ArraySlice<UInt8>) throws(DecodeError) {
        scanner.skipWhitespace()
        try scanMember(&scanner, bytes)
        while scanner.byte == UInt8(ascii: ",") {
            scanner.position += 1
            scanner.skipWhitespace()
            try scanMember(&scanner, bytes)
        }
    }

    private mutating func scanMember(_ scanner: inout JSONScanner, _ bytes: ArraySlice<UInt8>) throws(DecodeError) {
        let keyStart = scanner.position
        let hasEscape = try scanner.skipString()
        let keyEnd = scanner.position
        scanner.skipWhitespace()
        try scanner.expect(UInt8(ascii: ":"))
        scanner.skipWhitespace()
        let field = try field(scanner, bytes, keyStart + 1..<keyEnd - 1, hasEscape: hasEscape)
        if case .extra = field {} else { expected = min(expected + 1, Field.allCases.count - 1) }
        let start = scanner.position
        if case .options = field, scanner.byte == UInt8(ascii: "{") {
            try scanOptions(&scanner, bytes)
        } else if case .kwargs = field, scanner.byte == UInt8(ascii: "{"), !scanner.isAtEmptyObject {
            try scanNamed(&scanner, "A keyword argument") { _, _, _ in }
            // The scanner has seen what is in it one level too low.
            isDeep = isDeep || scanner.deepest >= JSONNesting.shallow
        } else {
            try scanner.skipValue()
        }
        isDeep = isDeep || scanner.deepest > JSONNesting.shallow
        let place = Place(start: start, end: scanner.position)
        switch field {
        case .queueName: queueName = place
        case .actorName: actorName = place
        case .args: args = place
        case .kwargs: kwargs = place
        case .options: options = place
        case .messageID: messageID = place
        case .messageTimestamp: messageTimestamp = place
        case .extra: break
        }
        scanner.skipWhitespace()
    }

    /// Everybody reads the options, so their first level is split while it is checked.
    private mutating func scanOptions(_ scanner: inout JSONScanner, _ bytes: ArraySlice<UInt8>) throws(DecodeError) {
        var members = UniqueMembers()
        try scanNamed(&scanner, "An option") { scanner, key, value throws(DecodeError) in
            let value = JSONText.value(bytes[offsetBy: value], isDeep: scanner.deepest > JSONNesting.shallow)
            members.add(JSONText.member(key: bytes[offsetBy: key], value: value))
            guard members.members.count <= Message.maxOptionCount else {
                throw DecodeError(
                    .tooManyOptions, "The message has more than \(Message.maxOptionCount) options",
                    offset: key.lowerBound)
            }
        }
        optionMembers = members.members
    }

    /// Steps over an object, with a look at the keys of its first level.
    ///
    /// - Parameters:
    ///   - what: what a member is, for messages to people.
    ///   - body: gets where a member's key, with its quotes, and its value are.
    private func scanNamed(
        _ scanner: inout JSONScanner,
        _ what: StaticString,
        _ body: (JSONScanner, _ key: Range<Int>, _ value: Range<Int>) throws(DecodeError) -> Void
    ) throws(DecodeError) {
        // Containers among the values stand one level deeper than the scanner sees them.
        let limit = scanner.maxDepth
        guard limit > 0 else { return try scanner.skipValue() }
        scanner.maxDepth -= 1
        defer { scanner.maxDepth = limit }
        scanner.position += 1
        scanner.skipWhitespace()
        var isFirst = true
        while isFirst ? scanner.byte != UInt8(ascii: "}") : scanner.byte == UInt8(ascii: ",") {
            if !isFirst {
                scanner.position += 1
                scanner.skipWhitespace()
            }
            isFirst = false
            let keyStart = scanner.position
            let hasEscape = try scanner.skipString()
            let key = keyStart..<scanner.position
            try checkName(scanner, key, hasEscape: hasEscape) { "\(what)'s name" }
            scanner.skipWhitespace()
            try scanner.expect(UInt8(ascii: ":"))
            scanner.skipWhitespace()
            let start = scanner.position
            try scanner.skipValue()
            try body(scanner, key, start..<scanner.position)
            scanner.skipWhitespace()
        }
        try scanner.expect(UInt8(ascii: "}"))
    }

    /// - Parameter range: where a name is, with its quotes.
    private func checkName(
        _ scanner: JSONScanner,
        _ range: Range<Int>,
        hasEscape: Bool,
        _ what: () -> String
    ) throws(DecodeError) {
        // Without its quotes; an escape is never shorter than what it stands for.
        var size = range.count - 2
        if size <= Message.maxNameSize { return }
        if hasEscape {
            let text = Array(UnsafeBufferPointer(start: scanner.base + range.lowerBound + 1, count: size))
            size = JSONText.unescape(text[...]).text.utf8.count
            if size <= Message.maxNameSize { return }
        }
        throw DecodeError(
            .tooLong, "\(what()) has \(size) bytes, the limit is \(Message.maxNameSize)", offset: range.lowerBound)
    }

    private func field(
        _ scanner: JSONScanner,
        _ bytes: ArraySlice<UInt8>,
        _ range: Range<Int>,
        hasEscape: Bool
    ) throws(DecodeError) -> Field {
        if !hasEscape {
            let text = UnsafeBufferPointer(start: scanner.base + range.lowerBound, count: range.count)
            // Nearly all messages have their fields in the order in which Python writes them.
            let usual = Field.allCases[expected]
            if Self.matches(usual.name, text) { return usual }
            for field in Field.allCases where Self.matches(field.name, text) { return field }
            if let extraField, Self.matches(extraField, text) { return .extra }
        }
        let (name, isLossless) = JSONText.unescape(bytes[offsetBy: range])
        if isLossless, let field = Field.allCases.first(where: { $0.name.description.hasSameBytes(as: name) }) {
            return field
        }
        throw DecodeError(
            .unknownField, "Messages have no field '\(name.excerpt(maxBytes: 64))'",
            offset: max(range.lowerBound - 1, 0))
    }

    @inline(__always)
    private static func matches(_ name: StaticString, _ text: UnsafeBufferPointer<UInt8>) -> Bool {
        guard name.utf8CodeUnitCount == text.count else { return false }
        for index in 0..<text.count where text[index] != name.utf8Start[index] { return false }
        return true
    }

    func message(_ bytes: ArraySlice<UInt8>) throws(DecodeError) -> Message {
        let queueName = try string(queueName, .queueName, bytes)
        let actorName = try string(actorName, .actorName, bytes)
        let args = try content(args, .args, UInt8(ascii: "["), "an array", bytes)
        let kwargs = try content(kwargs, .kwargs, UInt8(ascii: "{"), "an object", bytes)
        _ = try content(options, .options, UInt8(ascii: "{"), "an object", bytes)
        // Python fills these two in when they are missing; so do we.
        let messageID = messageID.start < 0 ? nil : try string(messageID, .messageID, bytes)
        let timestamp: MessageTimestamp
        if messageTimestamp.start >= 0 {
            let text = bytes[offsetBy: messageTimestamp.start..<messageTimestamp.end]
            guard let value = MessageTimestamp(JSONText.value(text)) else {
                throw wrongType(.messageTimestamp, "a number", messageTimestamp)
            }
            timestamp = value
        } else {
            timestamp = .now
        }
        return Message(
            queueName: queueName,
            actorName: actorName,
            args: JSONArray(validatedText: args, depth: isDeep ? nil : JSONNesting.shallow),
            kwargs: JSONObject(validatedText: kwargs, depth: isDeep ? nil : JSONNesting.shallow),
            options: MessageOptions(JSONObject(members: optionMembers)),
            messageID: messageID,
            messageTimestamp: timestamp
        )
    }

    private func string(_ place: Place, _ field: Field, _ bytes: ArraySlice<UInt8>) throws(DecodeError) -> String {
        let text = try text(place, field, bytes)
        guard text.first == UInt8(ascii: "\""), case .string(let string) = JSONText.value(text) else {
            throw wrongType(field, "a string of Unicode text", place)
        }
        guard string.utf8.count <= Message.maxNameSize else {
            throw DecodeError(
                .tooLong,
                "The message's field '\(field.name)' has \(string.utf8.count) bytes, the limit is \(Message.maxNameSize)",
                offset: place.start)
        }
        return string
    }

    private func content(
        _ place: Place,
        _ field: Field,
        _ opening: UInt8,
        _ expected: String,
        _ bytes: ArraySlice<UInt8>
    ) throws(DecodeError) -> ArraySlice<UInt8> {
        let text = try text(place, field, bytes)
        guard text.first == opening else { throw wrongType(field, expected, place) }
        return text.dropFirst().dropLast()
    }

    private func text(
        _ place: Place,
        _ field: Field,
        _ bytes: ArraySlice<UInt8>
    ) throws(DecodeError) -> ArraySlice<UInt8> {
        guard place.start >= 0 else {
            throw DecodeError(.missingField, "The message has no field '\(field.name)'", offset: 0)
        }
        return bytes[offsetBy: place.start..<place.end]
    }

    private func wrongType(_ field: Field, _ expected: String, _ place: Place) -> DecodeError {
        DecodeError(.wrongType, "The message's field '\(field.name)' must be \(expected)", offset: place.start)
    }
}
