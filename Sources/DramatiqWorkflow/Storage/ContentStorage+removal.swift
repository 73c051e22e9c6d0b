package import Dramatiq

/// What is stored for a run alone goes when the run needs it no more.
///
/// A content says in its bytes which run it is for, so no two runs share one: there are no references to count, and what one
/// removes is not what another one has just stored. What says nothing of a run, or of another one (it came from a run that
/// wasn't tracked, from Python, or from an earlier version), may be shared, and is left to who sweeps.
extension ContentStorage {
    /// What was stored while callbacks were.
    struct Notes {
        /// The run that they are of; `nil` if they are of none that is tracked.
        let run: String?
        private(set) var contents: [String] = []
        /// Whether the callbacks themselves were stored.
        var isApart = false

        init(run: String? = nil) {
            self.run = run
        }

        mutating func add(_ address: ContentAddress) {
            contents.append(address.removalName)
        }
    }

    /// How many contents are removed at the same time.
    private static let removalWidth = 8

    /// - Throws: as ``store(_:)``.
    package func storeForRun(_ callbacks: [CompletionCallback]) async throws -> StoredCallbacks {
        var notes = Notes(run: callbacks.first.flatMap { $0.isRun ? $0.completionID : nil })
        let reference = try await store(callbacks, &notes)
        return StoredCallbacks(reference: reference, contents: notes.contents, isApart: notes.isApart)
    }

    /// Removes contents that this storage has stored for a run.
    ///
    /// - Throws: what the store throws, once all have been tried.
    package func remove(_ contents: [String]) async throws {
        let addresses = contents.compactMap { ContentAddress(removalName: $0) }
            .filter { $0.storage.hasSameBytes(as: name) }
        if addresses.isEmpty { return }
        forget(addresses)
        var failure: (any Error)?
        await withTaskGroup(of: (any Error)?.self) { group in
            for (index, address) in addresses.enumerated() {
                if index >= Self.removalWidth, let next = await group.next() { failure = failure ?? next }
                group.addTask { [store] in
                    do {
                        try await store.remove(address.place, completionID: address.name.text)
                        return nil
                    } catch {
                        return error
                    }
                }
            }
            for await next in group { failure = failure ?? next }
        }
        if let failure { throw failure }
    }

    package func key(of content: String, in place: StoreIdentity, beside key: String) -> String? {
        guard let address = ContentAddress(removalName: content), address.isNamePlace else { return nil }
        return (store as? any KeyedWorkflowStore)?.key(of: address.name.text, in: place, beside: key)
    }

    package func hasKeys(in place: StoreIdentity, beside key: String) -> Bool {
        (store as? any KeyedWorkflowStore)?.key(of: "", in: place, beside: key) != nil
    }
}

extension ContentAddress {
    /// As it is noted for a run: name, storage, and the place if that isn't the name.
    fileprivate var removalName: String {
        var parts: [JSONValue] = [.string(name.text), .string(storage)]
        if !isNamePlace { parts.append(place) }
        return "\(JSONValue.array(JSONArray(parts)))"
    }

    fileprivate init?(removalName: String) {
        guard let parts = (try? JSONValue(parsing: removalName))?.arrayValue?.elements(levels: 0, maxCount: 3),
            parts.count >= 2, let name = parts[0].stringValue.flatMap({ ContentName($0) }),
            let storage = parts[1].stringValue
        else { return nil }
        self.init(storage: storage, name: name, place: parts.dropFirst(2).first)
    }
}
