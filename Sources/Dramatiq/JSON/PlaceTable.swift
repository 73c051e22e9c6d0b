/// Finds places in a list by the hash of what stands there, for lists of keys that somebody else has made as long as they
/// like. Takes a dozen bytes for each, a dictionary of texts many times that.
struct PlaceTable {
    /// Shorter lists are searched faster without.
    static let minCount = 16

    /// Places, counted from 1; zero is a free slot. There are at least twice as many as places.
    private var slots: [UInt32] = []
    /// What is left of each place's hash, which tells all that matters of it for as many slots as there can be.
    private var hashes: [UInt32] = []

    /// How many places are in it, from the first of the list.
    var count: Int { hashes.count }

    /// Adds the next place of the list.
    mutating func append(hash: Int) {
        hashes.append(UInt32(truncatingIfNeeded: hash))
        guard slots.count < 2 * hashes.count else { return insert(hashes.count - 1) }
        slots = Array(repeating: 0, count: max(4 * Self.minCount, 2 * slots.count))
        for place in hashes.indices { insert(place) }
    }

    private mutating func insert(_ place: Int) {
        var slot = Int(hashes[place]) & (slots.count - 1)
        while slots[slot] != 0 { slot = (slot + 1) & (slots.count - 1) }
        slots[slot] = UInt32(truncatingIfNeeded: place + 1)
    }

    /// The first place with a hash that is the right one.
    func first(hash: Int, where isRight: (Int) -> Bool) -> Int? {
        guard !slots.isEmpty else { return nil }
        let hash = UInt32(truncatingIfNeeded: hash)
        var slot = Int(hash) & (slots.count - 1)
        while slots[slot] != 0 {
            let place = Int(slots[slot]) - 1
            if hashes[place] == hash, isRight(place) { return place }
            slot = (slot + 1) & (slots.count - 1)
        }
        return nil
    }
}
