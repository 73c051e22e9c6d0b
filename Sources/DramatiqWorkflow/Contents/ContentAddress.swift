package import Dramatiq

/// Where a content is: its name, and what the store that has it called the place.
package struct ContentAddress: Hashable, Sendable {
    /// The storage that made the reference.
    package let storage: String
    package let name: ContentName
    /// What the store gave out for it, if that isn't the name.
    private let otherPlace: JSONValue?

    package init(storage: String, name: ContentName, place: JSONValue? = nil) {
        self.storage = storage
        self.name = name
        otherPlace = place.flatMap { $0 == .string(name.text) ? .none : $0 }
    }

    /// What the store gave out for it.
    package var place: JSONValue { otherPlace ?? .string(name.text) }

    /// Whether every store that has the content has it there.
    package var isNamePlace: Bool { otherPlace == nil }

    /// What references say of the content: its name, something about it, and the place if that isn't the name.
    package func reference(to what: JSONValue) -> JSONValue {
        var at: [JSONValue] = [.string(name.text), what]
        if let otherPlace { at.append(otherPlace) }
        return .array(JSONArray(at))
    }
}
