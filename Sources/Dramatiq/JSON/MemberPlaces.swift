/// Where the members of an object lie in its text: keys are found by their bytes, and values are read when somebody asks
/// for them. Takes some 40 bytes for each member, whatever its value is.
struct MemberPlaces {
    /// A member's key without its quotes, and its value. Texts are shorter than 4 GiB: see ``init(_:)``.
    private struct Place {
        let keyStart: UInt32
        let keyEnd: UInt32
        /// Whether the key has escapes, so that there are other ways to write it.
        let hasEscape: Bool
        var valueStart: UInt32
        var valueEnd: UInt32
    }

    /// The bytes that a key stands for.
    private struct Key: Equatable {
        let bytes: ArraySlice<UInt8>
        /// Whether that is a text, rather than the escaped form of what no text can hold.
        let isText: Bool

        var hash: Int {
            var hasher = Hasher()
            bytes.withUnsafeBytes { hasher.combine(bytes: $0) }
            return hasher.finalize()
        }
    }

    private let text: ArraySlice<UInt8>
    private let isDeep: Bool
    /// In the order of the text. A key that comes again keeps its first place and takes the last value, as in Python.
    private var places: [Place] = []
    private var table = PlaceTable()

    /// - Returns: `nil` for an object whose text has 4 GiB or more.
    init?(_ object: JSONObject) {
        text = object.content
        isDeep = object.storage.nesting.isDeep
        guard text.count < UInt32.max else { return nil }
        let start = text.startIndex
        JSONText.forEachMember(text) { key, value in
            add(
                Place(
                    keyStart: UInt32(key.startIndex - start + 1), keyEnd: UInt32(key.endIndex - start - 1),
                    hasEscape: key.contains(UInt8(ascii: "\\")),
                    valueStart: UInt32(value.startIndex - start), valueEnd: UInt32(value.endIndex - start)))
        }
    }

    private mutating func add(_ new: Place) {
        if let earlier = index(of: key(new)) {
            places[earlier].valueStart = new.valueStart
            places[earlier].valueEnd = new.valueEnd
            return
        }
        places.append(new)
        guard places.count >= PlaceTable.minCount else { return }
        while table.count < places.count { table.append(hash: key(places[table.count]).hash) }
    }

    private func index(of key: Key) -> Int? {
        if table.count == 0 { return places.firstIndex { isKey($0, key) } }
        return table.first(hash: key.hash) { isKey(places[$0], key) }
    }

    private func isKey(_ place: Place, _ key: Key) -> Bool {
        // Most keys differ in their length.
        if !place.hasEscape, Int(place.keyEnd - place.keyStart) != key.bytes.count { return false }
        return self.key(place) == key
    }

    private func isKey(_ place: Place, _ name: String) -> Bool {
        if !place.hasEscape, Int(place.keyEnd - place.keyStart) != name.utf8.count { return false }
        let key = key(place)
        return key.isText && key.bytes.elementsEqual(name.utf8)
    }

    private func key(_ place: Place) -> Key {
        let content = text[offsetBy: Int(place.keyStart)..<Int(place.keyEnd)]
        guard place.hasEscape else { return Key(bytes: content, isText: true) }
        let (text, isLossless) = JSONText.unescape(content)
        return isLossless ? Key(bytes: Array(text.utf8)[...], isText: true) : Key(bytes: content, isText: false)
    }

    // MARK: Looking into it

    /// How many members there are.
    var count: Int { places.count }

    /// The text of a key's value; `nil` if there is no such key.
    func text(of key: String) -> ArraySlice<UInt8>? {
        let found =
            table.count == 0
            ? places.firstIndex { isKey($0, key) } : index(of: Key(bytes: Array(key.utf8)[...], isText: true))
        guard let found else { return nil }
        return text[offsetBy: Int(places[found].valueStart)..<Int(places[found].valueEnd)]
    }

    /// A key's value; `nil` if there is no such key.
    func value(of key: String) -> JSONValue? {
        text(of: key).map { JSONText.value($0, isDeep: isDeep) }
    }

    /// A member's key; of one that is no text what can be read of it.
    func name(at index: Int) -> String {
        let place = places[index]
        let content = text[offsetBy: Int(place.keyStart)..<Int(place.keyEnd)]
        return place.hasEscape ? JSONText.unescape(content).text : KnownKeys.string(content)
    }

    /// Whether a key has so many combining marks in a row that a `Dictionary` of Swift, which keys may be decoded into, takes
    /// too long over it.
    var hasCostlyKey: Bool {
        places.indices.contains { index in
            // A mark takes two bytes at least.
            Int(places[index].keyEnd - places[index].keyStart) > 2 * String.maxMarks && name(at: index).hasCostlyMarks
        }
    }

    /// The first key that is none of these; `nil` if there is no other.
    func firstName(except names: some Collection<String>) -> String? {
        places.indices.first { index in !names.contains { isKey(places[index], $0) } }.map(name(at:))
    }
}
