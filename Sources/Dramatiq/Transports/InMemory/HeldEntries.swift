/// What was taken from an ``InMemoryTransport`` and is not settled.
///
/// A tag is the place of an entry in a list and the number of times that the place was used before, so looking one up
/// needs no hash, and a delivery that was settled long ago is told from the one that has its place now.
struct HeldEntries {
    private struct Slot {
        var entry: InMemoryQueues.Entry?
        var consumer = 0
        /// Counts what was taken, to tell what came first.
        var order: UInt64 = 0
        var uses: UInt32 = 0
    }

    private var slots: [Slot] = []
    private var free: [Int] = []
    private var nextOrder: UInt64 = 0

    mutating func add(_ entry: InMemoryQueues.Entry, consumer: Int) -> UInt64 {
        nextOrder += 1
        let place = free.popLast() ?? slots.count
        if place == slots.count { slots.append(Slot()) }
        slots[place].entry = entry
        slots[place].consumer = consumer
        slots[place].order = nextOrder
        slots[place].uses &+= 1
        return tag(place)
    }

    func contains(_ tag: UInt64) -> Bool {
        place(tag) != nil
    }

    mutating func remove(_ tag: UInt64) -> InMemoryQueues.Entry? {
        guard let place = place(tag) else { return nil }
        defer { slots[place].entry = nil }
        free.append(place)
        return slots[place].entry
    }

    /// The tags of what a consumer holds, in the order in which it was taken.
    func tags(consumer: Int) -> [UInt64] {
        slots.indices.filter { slots[$0].entry != nil && slots[$0].consumer == consumer }
            .sorted { slots[$0].order < slots[$1].order }
            .map(tag)
    }

    /// What was taken from a queue, in no order.
    func entries(queue: Int) -> [InMemoryQueues.Entry] {
        slots.compactMap(\.entry).filter { $0.queue == queue }
    }

    /// The tags of what was taken from a queue.
    func tags(queue: Int) -> [UInt64] {
        slots.indices.filter { slots[$0].entry?.queue == queue }.map(tag)
    }

    private func tag(_ place: Int) -> UInt64 {
        UInt64(slots[place].uses) << 32 | UInt64(place)
    }

    private func place(_ tag: UInt64) -> Int? {
        let place = Int(tag & 0xFFFF_FFFF)
        guard place < slots.count, slots[place].entry != nil, UInt64(slots[place].uses) == tag >> 32 else { return nil }
        return place
    }
}
