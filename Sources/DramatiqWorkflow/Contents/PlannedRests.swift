package import Dramatiq
import Synchronization

/// What comes after the tasks that are started together: one chain for each step among them. A storage that keeps
/// contents stores them all as one.
package final class PlannedRests: Sendable {
    /// What comes after one step.
    package struct Part: Sendable {
        /// What comes after all of that step's chain; the index in ``PlannedRests/parts``.
        let outer: Int?
        /// The tasks that are started in the step and in no step inside of it.
        let taskCount: Int

        package init(outer: Int?, taskCount: Int) {
            self.outer = outer
            self.taskCount = taskCount
        }
    }

    private enum Source {
        /// Text of a content, and where in it the children of each chain are.
        case text([UInt8], [Range<Int>])
        case arrays([JSONArray])
    }

    private struct State {
        var content: Result<WorkflowContent, any Error>?
        var stored: (storage: any AnyObject & Sendable, address: ContentAddress?)?
    }

    package let parts: [Part]
    /// The run that they are part of, if it is tracked.
    private let run: String?
    private let source: Source
    private let state = Mutex(State())

    /// - Parameter text: what a ``ContentWriter`` has written, a chain for each part, with the run that they are part of.
    package init(_ parts: [Part], text: [UInt8], children: [Range<Int>]) {
        self.parts = parts
        run = nil
        source = .text(text, children)
    }

    /// - Parameter run: the run that they are part of, if it is tracked.
    package init(_ parts: [Part], children: [JSONArray], ofRun run: String? = nil) {
        self.parts = parts
        self.run = run
        source = .arrays(children)
    }

    /// The children of a part's chain.
    package func children(_ part: Int) -> JSONArray {
        switch source {
        case .text(let text, let ranges): JSONArray(validatedText: text[ranges[part]])
        case .arrays(let arrays): arrays[part]
        }
    }

    /// How many bytes of JSON the children of each part's chain have.
    package var sizes: [Int] {
        switch source {
        case .text(_, let ranges): ranges.map(\.count)
        case .arrays(let arrays): arrays.map { $0.validatedText?.count ?? JSONValue.array($0).encoded().count }
        }
    }

    /// All parts as one content.
    ///
    /// - Throws: as ``WorkflowContent/init(_:)``: parts that came in with a message can be anything.
    package func content() throws -> WorkflowContent {
        try state.withLock { state in
            let content =
                state.content
                ?? Result {
                    switch source {
                    case .text(let text, _): try WorkflowContent(text)
                    case .arrays(let arrays): try WorkflowContent(WorkflowContent.text(arrays, ofRun: run))
                    }
                }
            state.content = content
            return content
        }.get()
    }

    /// Where a storage has the content: found out once, however many messages carry a part of it.
    ///
    /// - Parameter store: stores the content, or decides that it is better not to.
    package func address(
        in storage: any AnyObject & Sendable,
        _ store: () async throws -> ContentAddress?
    ) async throws -> ContentAddress? {
        if let stored = state.withLock({ $0.stored }), stored.storage === storage { return stored.address }
        let address = try await store()
        state.withLock { $0.stored = (storage, address) }
        return address
    }

    /// How many bytes the messages of the workflow will carry for these parts until its end, all together, if they stand
    /// in the messages themselves; and how many messages will carry some.
    package func cost() throws -> (inline: Double, carriers: Int) {
        let content = try content()
        let places = content.places
        // From the last node to the first: the messages in each node, and the children of chains that come after it.
        var messages = [Int](repeating: 0, count: places.starts.count)
        var next = [UInt32](repeating: NodePlaces.none, count: places.starts.count)
        var inline = 0.0
        var chains: [Int] = []
        for node in places.starts.indices.reversed() {
            if places.kinds[node] == .message { messages[node] = 1 }
            let parent = places.parents[node]
            guard parent != NodePlaces.none else {
                chains.append(messages[node])
                continue
            }
            messages[Int(parent)] += messages[node]
            if places.kinds[Int(parent)] == .chain {
                let sibling = next[Int(parent)]
                if sibling != NodePlaces.none {
                    inline += Double(messages[node]) * Double(places.ends[Int(parent)] - places.starts[Int(sibling)])
                }
                next[Int(parent)] = UInt32(node)
            }
        }
        chains.reverse()
        // The whole of a part is carried by what is started before it, and by what comes after the steps inside of it.
        var carriers = parts.map(\.taskCount)
        let sizes = sizes
        for part in parts.indices.reversed() {
            inline += Double(carriers[part]) * Double(sizes[part])
            if let outer = parts[part].outer { carriers[outer] += carriers[part] + chains[part] }
        }
        return (inline, parts.reduce(0) { $0 + $1.taskCount } + chains.reduce(0, +))
    }
}
