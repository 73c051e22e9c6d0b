/// A list that mostly has no element or one, which then takes no memory of its own.
package struct Few<Element: Sendable>: Sendable {
    private enum Storage: Sendable {
        case none
        case one(Element)
        case many([Element])
    }

    private var storage: Storage

    package init() {
        storage = .none
    }

    package init(_ element: Element) {
        storage = .one(element)
    }

    package init(_ elements: [Element]) {
        switch elements.count {
        case 0: storage = .none
        case 1: storage = .one(elements[0])
        default: storage = .many(elements)
        }
    }

    package mutating func append(_ element: Element) {
        switch storage {
        case .none:
            storage = .one(element)
        case .one(let first):
            storage = .many([first, element])
        case .many(var elements):
            storage = .none  // So that the array is not copied.
            elements.append(element)
            storage = .many(elements)
        }
    }

    /// The results for all elements, in their order.
    package func mapped<Result: Sendable>(_ transform: (Element) throws -> Result) rethrows -> Few<Result> {
        switch storage {
        case .none: Few<Result>()
        case .one(let element): Few<Result>(try transform(element))
        case .many(let elements): Few<Result>(try elements.map(transform))
        }
    }
}

extension Few: RandomAccessCollection {
    package var startIndex: Int { 0 }

    package var endIndex: Int {
        switch storage {
        case .none: 0
        case .one: 1
        case .many(let elements): elements.count
        }
    }

    /// As an array's: only an index out of its bounds ends the program, and no index comes from outside.
    package subscript(position: Int) -> Element {
        switch storage {
        case .none: preconditionFailure("There is no element")
        case .one(let element):
            precondition(position == 0, "There is one element")
            return element
        case .many(let elements): return elements[position]
        }
    }
}
