/// Messages to be sent, in their order.
public struct Envelopes: Sendable {
    /// Most commits send none or one.
    package private(set) var few: Few<Envelope>

    public init() {
        few = Few()
    }

    public init(_ envelope: Envelope) {
        few = Few(envelope)
    }

    public init(_ envelopes: [Envelope]) {
        few = Few(envelopes)
    }

    /// Adds a message at the end.
    public mutating func append(_ envelope: Envelope) {
        few.append(envelope)
    }
}

extension Envelopes: RandomAccessCollection {
    public var startIndex: Int { few.startIndex }
    public var endIndex: Int { few.endIndex }
    public subscript(position: Int) -> Envelope { few[position] }
}

extension Envelopes: ExpressibleByArrayLiteral {
    public init(arrayLiteral elements: Envelope...) {
        self.init(elements)
    }
}
