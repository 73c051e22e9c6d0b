import Synchronization

/// Keeps objects that are costly to make and that one task uses at a time, such as the contexts of a C library.
///
/// Nobody waits: who finds none makes one. As many are kept as were ever in use at the same time, up to a limit.
///
/// Not generic: across modules that would cost more than the rest, for finding out the types when it runs.
package final class ContextPool: Sendable {
    package typealias Context = AnyObject & Sendable

    /// More than this many threads rarely compress at the same time; the rest make theirs anew.
    private static let limit = 16

    private let idle: Mutex<[any Context]>
    private let make: @Sendable () -> (any Context)?

    /// - Parameter make: makes a context, or `nil` if there is no memory for it.
    package init(_ make: @escaping @Sendable () -> (any Context)?) {
        var idle: [any Context] = []
        idle.reserveCapacity(Self.limit)
        self.idle = Mutex(idle)
        self.make = make
    }

    /// A context that nobody else has, of the type that the pool makes; `nil` if there is no memory for one.
    package func take() -> (any Context)? {
        idle.withLock { $0.popLast() } ?? make()
    }

    /// Gives a context back for the next one. What is not given back is gone.
    package func give(_ context: any Context) {
        idle.withLock { idle in
            if idle.count < Self.limit { idle.append(context) }
        }
    }
}
