package import Dramatiq
import Synchronization

/// What storages are made of that keep workflows in a ``WorkflowStore``: once for each run, whatever its shape.
///
/// What remains of a workflow when its first tasks are sent is one content, stored under its name. Messages carry the
/// name, and for each of their callbacks a cursor into the content:
///
///     {"__type__":"stored","by":"dedup.redis","version":2,"at":["n4bQgYhMf…",[["completion id",17,false]]]}
///
/// So a step stores nothing. Callbacks that are large themselves can be a content, too: `"at":"n4bQgYhMf…"`.
package final class ContentStorage: Sendable {
    /// What a message takes more with a reference than with nothing, in bytes.
    private static let referenceSize = 120.0
    /// How many times the bytes must become less for which workflows are stored: as many times as encoders make messages
    /// smaller that carry their workflows themselves.
    private static let leastGain = 8.0
    /// The largest rest that stays in messages because that is cheaper in all, in bytes.
    private static let largestInline = 32 << 10
    /// The most contents of other storages that are remembered.
    private static let maxMoved = 1000
    /// A workflow of so few bytes is not worth a look at what it costs.
    private static let smallest = 1024

    /// What references say in `by`.
    package let name: String
    package let store: any WorkflowStore
    /// The largest rest for which a workflow stays in its messages; `nil` for where that is cheaper.
    private let inlineLimit: Int?
    /// The largest callbacks that stay in messages; `nil` if all do.
    private let callbackLimit: Int?
    private let cache: WorkflowCache
    private let digest: @Sendable ([UInt8]) -> ContentName
    /// Tells this store's contents in the cache from those of others.
    private let cacheKey: String
    private let refreshes = RefreshSchedule()
    /// Contents of other storages that this one's store has now.
    private let moved = Mutex<[ContentName: ContentAddress]>([:])

    package init(
        name: String,
        store: any WorkflowStore,
        inlineLimit: Int?,
        callbackLimit: Int? = nil,
        cache: WorkflowCache,
        digest: @escaping @Sendable ([UInt8]) -> ContentName
    ) {
        self.name = name
        self.store = store
        self.inlineLimit = inlineLimit
        self.callbackLimit = callbackLimit
        self.cache = cache
        self.digest = digest
        cacheKey = store.identity ?? UniqueID.make()
    }

    // MARK: Storing

    /// - Throws: what the store throws, or the storage that has a remaining workflow.
    package func store(_ callbacks: [CompletionCallback]) async throws -> JSONValue {
        try await storeForRun(callbacks).reference
    }

    /// - Parameter notes: gets what is stored now.
    func store(_ callbacks: [CompletionCallback], _ notes: inout Notes) async throws -> JSONValue {
        var outermost: ContentAddress?
        var isInline = false
        var rests: [JSONValue] = []
        rests.reserveCapacity(callbacks.count)
        for callback in callbacks {
            guard let remaining = callback.remaining else {
                rests.append(.null)
                continue
            }
            switch try await standIn(for: remaining, &notes) {
            case .inline(let workflow):
                isInline = true
                rests.append(workflow)
            case .part(let address, let cursor):
                if outermost == nil { outermost = address }
                rests.append(
                    address == outermost
                        ? .integer(cursor) : StoredRest.reference(to: address, cursor: cursor).jsonValue)
            }
        }
        let written =
            if let outermost {
                reference(outermost.reference(to: CallbackFormat.write(callbacks, rests: rests, as: .entries)))
            } else {
                CallbackFormat.write(callbacks, rests: rests)
            }
        return isInline ? written : try await spilled(written, &notes)
    }

    private enum StandIn {
        case inline(JSONValue)
        case part(ContentAddress, cursor: Int)
    }

    private func standIn(for remaining: RemainingWorkflow, _ notes: inout Notes) async throws -> StandIn {
        switch remaining.origin {
        case .planned(let rests, let part):
            let address = try await rests.address(in: self) { try await place(rests, &notes) }
            guard let address, let cursor = try rests.content().cursor(ofChain: part) else {
                return .inline(try await remaining.load())
            }
            return .part(address, cursor: cursor)
        case .stored(let rest):
            return .part(try await carry(rest.address, &notes) { try await rest.content() }, cursor: rest.cursor)
        case .other:
            return try await standIn(forOther: remaining, &notes)
        }
    }

    /// For what another storage has, or a version of this one that knew no contents, or stood in the message.
    private func standIn(forOther remaining: RemainingWorkflow, _ notes: inout Notes) async throws -> StandIn {
        // It may be this storage's, and somebody else's that wraps it.
        if let carried = try part(remaining.reference), carried.address.storage.hasSameBytes(as: name),
            let address = try? await carry(carried.address, &notes, { throw CancellationError() })
        {
            return .part(address, cursor: carried.cursor)
        }
        let reference = try await remaining.reference(in: self) {
            let workflow = try await remaining.load()
            let rests = PlannedRests(
                [PlannedRests.Part(outer: nil, taskCount: 1)], children: [chained(workflow)], ofRun: notes.run)
            guard let address = try await place(rests, &notes), let cursor = try rests.content().cursor(ofChain: 0)
            else {
                return workflow
            }
            return StoredRest.reference(to: address, cursor: cursor).jsonValue
        }
        guard let stored = try part(reference) else { return .inline(reference) }
        return .part(stored.address, cursor: stored.cursor)
    }

    /// The content and cursor that a reference stands for, if it is one to a part of a content.
    private func part(_ value: JSONValue?) throws(WorkflowError) -> (address: ContentAddress, cursor: Int)? {
        guard let value, let reference = try StorageReference(reading: value), reference.version == StoredRest.version,
            let (address, what) = try? address(reference), case .integer(let cursor)? = what
        else { return nil }
        return (address, cursor)
    }

    /// The children of a chain that stands for a workflow.
    private func chained(_ workflow: JSONValue) -> JSONArray {
        if case .chain(let children)? = try? JSONNode(workflow) { return children }
        return [workflow]
    }

    /// Stores what was planned, if that is better than to let messages carry it.
    private func place(_ rests: PlannedRests, _ notes: inout Notes) async throws -> ContentAddress? {
        guard pays(rests), let content = try? rests.content(), content.depth <= JSONMessageEncoder.defaultMaxDepth / 2
        else { return nil }
        return try await put(content, &notes)
    }

    private func pays(_ rests: PlannedRests) -> Bool {
        let sizes = rests.sizes
        guard let largest = sizes.max() else { return false }
        if let inlineLimit { return largest > inlineLimit }
        if largest > Self.largestInline { return true }
        let size = sizes.reduce(0, +)
        guard size > Self.smallest, let cost = try? rests.cost() else { return false }
        return cost.inline > Self.leastGain * (Double(size) + Self.referenceSize * Double(cost.carriers))
    }

    private func put(_ content: WorkflowContent, _ notes: inout Notes) async throws -> ContentAddress {
        let name = digest(content.text)
        let place = try await store.store(content.text, completionID: name.text)
        cache.insert(content, key(name))
        refreshes.note(name.text)
        let address = ContentAddress(storage: self.name, name: name, place: place)
        if let run = notes.run, content.belongs(to: run) { notes.add(address) }
        return address
    }

    /// Sees to it that the store keeps a content that messages carry on: stores it if it comes from somewhere else, or is
    /// not there any more.
    private func carry(
        _ address: ContentAddress,
        _ notes: inout Notes,
        _ content: () async throws -> WorkflowContent
    ) async throws -> ContentAddress {
        guard address.storage.hasSameBytes(as: name) else {
            if let known = moved.withLock({ $0[address.name] }), !refreshes.wouldBeDue(known.name.text) { return known }
            let own = try await put(try await content(), &notes)
            moved.withLock { moved in
                if moved.count >= Self.maxMoved { moved = [:] }
                moved[own.name] = own
            }
            return own
        }
        guard refreshes.isDue(address.name.text) else { return address }
        do {
            try await store.refresh(address.place, completionID: address.name.text)
            return address
        } catch {
            // It may still be had, from memory or from where it came, such as the directory used before this one.
            do {
                return try await put(try await content(), &notes)
            } catch let other {
                throw (other as? WorkflowError)?.code == .foreignReference ? error : other
            }
        }
    }

    private func reference(_ at: JSONValue) -> JSONValue {
        StorageReference(storage: name, version: StoredRest.version, place: at).jsonValue
    }

    /// What stands for callbacks in messages: themselves, or the content that they are.
    private func spilled(_ callbacks: JSONValue, _ notes: inout Notes) async throws -> JSONValue {
        guard let callbackLimit else { return callbacks }
        let text = callbacks.encoded()
        guard text.count > callbackLimit else { return callbacks }
        let name = digest(text)
        let place = try await store.store(text, completionID: name.text)
        cache.insert(WorkflowContent(withoutNodes: text), callbacksKey(name))
        refreshes.note(name.text)
        let address = ContentAddress(storage: self.name, name: name, place: place)
        // They begin with their run.
        if notes.run != nil {
            notes.add(address)
            notes.isApart = true
        }
        return reference(address.isNamePlace ? .string(name.text) : address.reference(to: .null))
    }

    // MARK: Retrieving

    /// - Throws: ``WorkflowError``, what the store throws. What is wrong with a workflow is thrown when it is loaded.
    package func retrieve(_ reference: JSONValue) async throws -> [CompletionCallback] {
        let found = try await find(reference)
        // A message that arrives renews its barriers, so what comes after them has to be kept as long. Whether it works
        // doesn't matter to this message: the one that opens the barrier will be told.
        for kept in found.kept where refreshes.isDue(kept.id) {
            try? await store.refresh(kept.place, completionID: kept.id)
        }
        return found.callbacks
    }

    /// As ``retrieve(_:)``, if nothing has to be asked of the store.
    package func retrieveNow(_ reference: JSONValue) throws -> [CompletionCallback]? {
        guard case .found(let found) = try read(reference),
            !found.kept.contains(where: { refreshes.wouldBeDue($0.id) })
        else { return nil }
        return found.callbacks
    }

    /// - Throws: as ``retrieve(_:)``.
    package func refresh(_ reference: JSONValue, for wait: Duration) async throws {
        for kept in try await find(reference).kept {
            try await store.refresh(kept.place, completionID: kept.id, for: wait)
        }
    }

    /// Something in the store.
    private struct Kept: Hashable {
        let place: JSONValue
        let id: String
    }

    private struct Found {
        var callbacks: [CompletionCallback] = []
        /// What the store has of them, each once.
        var kept: [Kept] = []

        mutating func add(_ kept: Kept) {
            if !self.kept.contains(kept) { self.kept.append(kept) }
        }
    }

    private enum Reading {
        case found(Found)
        /// The callbacks themselves are in the store: a content, or what an earlier version has stored.
        case apart(Kept, ContentName?)
    }

    private func find(_ reference: JSONValue) async throws -> Found {
        switch try read(reference) {
        case .found(let found):
            return found
        case .apart(let kept, let name):
            guard case .found(var found) = try read(JSONValue(parsing: try await callbacks(kept, name))) else {
                throw WorkflowError.invalidCallbacks(reason: "callbacks that are stored apart refer to others")
            }
            found.add(kept)
            return found
        }
    }

    /// The text of callbacks that are stored apart from their messages.
    private func callbacks(_ kept: Kept, _ name: ContentName?) async throws -> [UInt8] {
        guard let name else { return try await store.load(kept.place, completionID: kept.id) }
        return try await cache.content(callbacksKey(name)) {
            let text = try await store.load(kept.place, completionID: kept.id)
            try check(text, name)
            refreshes.note(kept.id)
            return WorkflowContent(withoutNodes: text)
        }.text
    }

    private func read(_ value: JSONValue) throws(WorkflowError) -> Reading {
        guard let reference = try StorageReference(reading: value) else {
            guard case .array = value else {
                throw .invalidCallbacks(reason: "they must be an array, or a reference to what a storage has")
            }
            return .found(try read(value, in: nil))
        }
        if reference.version == 1, callbackLimit != nil, reference.storage.hasSameBytes(as: name) {
            return .apart(Kept(place: reference.place, id: ""), nil)
        }
        let (address, what) = try address(reference)
        switch what {
        case nil: return .apart(Kept(place: address.place, id: address.name.text), address.name)
        case .array(let entries)?: return .found(try read(.array(entries), in: address))
        default: throw .invalidCallbacks(reason: "a reference to a stored workflow must have entries")
        }
    }

    /// Reads callbacks. Numbers in the place of workflows are cursors into a content.
    private func read(_ entries: JSONValue, in content: ContentAddress?) throws(WorkflowError) -> Found {
        var found = Found()
        let form = content == nil ? CallbackFormat.Form.triples : .entries
        found.callbacks = try CallbackFormat.read(entries, as: form) { standIn, completionID throws(WorkflowError) in
            switch standIn {
            case .cursor(let cursor):
                guard let content else { return nil }
                return rest(content, cursor, &found)
            case .reference(let reference) where reference.version == 1:
                let place = try reference.place(of: name, version: 1)
                found.add(Kept(place: place, id: completionID))
                return RemainingWorkflow(reference: reference.jsonValue) { [store] in
                    try JSONValue(parsing: try await store.load(place, completionID: completionID))
                }
            case .reference(let reference):
                let (address, what) = try self.address(reference)
                guard case .integer(let cursor)? = what else {
                    throw .invalidCallbacks(reason: "a reference to a stored workflow must have a cursor")
                }
                return rest(address, cursor, &found)
            }
        }
        return found
    }

    private func rest(_ address: ContentAddress, _ cursor: Int, _ found: inout Found) -> RemainingWorkflow {
        found.add(Kept(place: address.place, id: address.name.text))
        return RemainingWorkflow(
            StoredRest(address: address, cursor: cursor) { [self] in try await content(address) })
    }

    /// The content that a reference names, and what the reference says about it.
    ///
    /// Contents can be moved from store to store, so it doesn't matter who has made the reference. A place says something
    /// to the storage only that made it; others look for the name.
    private func address(
        _ reference: StorageReference
    ) throws(WorkflowError) -> (address: ContentAddress, what: JSONValue?) {
        let isOwn = reference.storage.hasSameBytes(as: name)
        var parts = [reference.place]
        if case .array(let array) = reference.place {
            guard let elements = array.elements(levels: 0, maxCount: 3) else { throw reference.isForeign }
            parts = elements
        }
        guard reference.version == StoredRest.version, let text = parts.first?.stringValue else {
            throw reference.isForeign
        }
        guard (1...3).contains(parts.count), let name = ContentName(text) else {
            guard isOwn else { throw reference.isForeign }
            throw .invalidCallbacks(reason: "a stored workflow must be given by the name of its content")
        }
        let address = ContentAddress(
            storage: reference.storage, name: name, place: isOwn ? parts.dropFirst(2).first : nil)
        return (address, parts.dropFirst().first.flatMap { $0.isNull ? .none : $0 })
    }

    // MARK: Contents

    /// Forgets contents that are removed. That they were needed a short while ago is remembered: a message that comes once
    /// more shall not store them again.
    func forget(_ addresses: [ContentAddress]) {
        for address in addresses { cache.remove([key(address.name), callbacksKey(address.name)]) }
        let names = Set(addresses.map(\.name))
        moved.withLock { moved in moved = moved.filter { !names.contains($0.value.name) } }
    }

    private func key(_ name: ContentName) -> WorkflowCache.Key {
        WorkflowCache.Key(store: cacheKey, name: name)
    }

    /// Apart from those of workflows: a hostile reference can take one for the other.
    private func callbacksKey(_ name: ContentName) -> WorkflowCache.Key {
        WorkflowCache.Key(store: cacheKey + " callbacks", name: name)
    }

    private func content(_ address: ContentAddress) async throws -> WorkflowContent {
        try await cache.content(key(address.name)) {
            let text: [UInt8]
            do {
                text = try await store.load(address.place, completionID: address.name.text)
            } catch {
                // Nobody said that it is here.
                let isOutage = (error as? any TransientError)?.isTransient ?? false
                if isOutage || address.storage.hasSameBytes(as: name) { throw error }
                throw WorkflowError.foreignReference(storage: address.storage, version: StoredRest.version)
            }
            try check(text, address.name)
            refreshes.note(address.name.text)
            return try WorkflowContent(text)
        }
    }

    private func check(_ text: [UInt8], _ name: ContentName) throws {
        let found = digest(text)
        guard found == name else { throw StoredContentError(storage: self.name, name: name.text, found: found.text) }
    }
}
