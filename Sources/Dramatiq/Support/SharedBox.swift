/// A value kept apart from the one that holds it, which stays small and cheap to copy. Copies share it until one of
/// them is written to.
struct SharedBox<Value> {
    // An array of one is memory of its own with copy on write, without a class to vouch for.
    private var content: [Value]

    init(_ value: Value) {
        content = [value]
    }

    var value: Value {
        get { content[0] }
        _modify { yield &content[0] }
    }
}

extension SharedBox: Sendable where Value: Sendable {}
