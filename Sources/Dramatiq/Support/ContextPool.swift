import Synchronization

/// Keeps objects that are costly to make and that one task uses at a time, such as the contexts of a C library.
///
/// Nobody waits: who finds none makes one. As many are kept as were ever in use at the same time, up to a limit.
package final class ContextPool<Context: Sendable>: Sendable {
    /// More than this many threads rarely compress at the same time; the rest make theirs anew.
    private static var limit: Int { 16 }

    private let idle: Mutex<[Context]>
    private let make: @Sendable () -> Context?

    /// - Parameter make: makes a context, or `nil` if there is no memory for it.
    package init(_ make: @escaping @Sendable () -> Context?) {
        var idle: [Context] = []
        idle.reserveCapacity(Self.limit)
        self.idle = Mutex(idle)
        self.make = make
    }

    /// A context that nobody else has; `nil` if there is no memory for one.
    package func take() -> Context? {
        idle.withLock { $0.popLast() } ?? make()
    }

    /// Gives a context back for the next one. What is not given back is gone.
    package func give(_ context: Context) {
        idle.withLock { idle in
            if idle.count < Self.limit { idle.append(context) }
        }
    }
}
