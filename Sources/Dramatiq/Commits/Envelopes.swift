/// Messages to be sent, in their order.
///
/// Most commits send none or one, so those are kept without memory of their own.
public struct Envelopes: Sendable {
    private enum Storage: Sendable {
        case none
        case one(Envelope)
        case many([Envelope])
    }

    private var storage: Storage

    public init() {
        storage = .none
    }

    public init(_ envelope: Envelope) {
        storage = .one(envelope)
    }

    public init(_ envelopes: [Envelope]) {
        switch envelopes.count {
        case 0: storage = .none
        case 1: storage = .one(envelopes[0])
        default: storage = .many(envelopes)
        }
    }

    /// Adds a message at the end.
    public mutating func append(_ envelope: Envelope) {
        switch storage {
        case .none:
            storage = .one(envelope)
        case .one(let first):
            storage = .many([first, envelope])
        case .many(var envelopes):
            storage = .none  // So that the array is not copied.
            envelopes.append(envelope)
            storage = .many(envelopes)
        }
    }
}

extension Envelopes: RandomAccessCollection {
    public var startIndex: Int { 0 }

    public var endIndex: Int {
        switch storage {
        case .none: 0
        case .one: 1
        case .many(let envelopes): envelopes.count
        }
    }

    public subscript(position: Int) -> Envelope {
        switch storage {
        case .none: preconditionFailure("There are no messages")
        case .one(let envelope):
            precondition(position == 0, "There is one message")
            return envelope
        case .many(let envelopes): return envelopes[position]
        }
    }
}

extension Envelopes: ExpressibleByArrayLiteral {
    public init(arrayLiteral elements: Envelope...) {
        self.init(elements)
    }
}
