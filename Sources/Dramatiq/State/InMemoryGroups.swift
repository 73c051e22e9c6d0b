/// Which members of groups have failed, beside the barriers of an in-memory store: what ``RunStep/groupFailures`` says.
struct InMemoryGroups {
    private struct Group {
        /// The parties that have failed, by the causes.
        var parties: [TextKey: TextKey] = [:]
        /// How many causes each of them has.
        var causes: [TextKey: Int] = [:]
        /// How many members it has besides those of its definition.
        var added = 0
        var decider: String?
        /// The group that has lost a member by that.
        var outer: TextKey?
    }

    private var groups: [TextKey: Group] = [:]
    /// Barriers that count on and don't open.
    private var closed: Set<TextKey> = []

    func failedMembers(at key: TextKey, with party: TextKey?) -> FailedMembers {
        let group = groups[key] ?? Group()
        let isOther = party.map { group.causes[$0] == nil } ?? false
        return FailedMembers(count: group.causes.count + (isOther ? 1 : 0), added: group.added)
    }

    func hasFailed(_ party: TextKey, at key: TextKey) -> Bool { groups[key]?.causes[party] != nil }

    func isDecided(_ key: TextKey, besidesBy decider: String) -> Bool {
        groups[key]?.decider.map { !$0.hasSameBytes(as: decider) } ?? false
    }

    func isClosed(_ key: TextKey) -> Bool { !closed.isEmpty && closed.contains(key) }

    mutating func add(_ count: Int, to key: TextKey) {
        if count > 0 { groups[key, default: Group()].added += count }
    }

    mutating func close(_ key: TextKey) { closed.insert(key) }

    /// - Returns: whether the party had not failed before.
    mutating func note(_ party: TextKey, _ cause: TextKey, at key: TextKey) -> Bool {
        guard groups[key, default: Group()].parties.updateValue(party, forKey: cause) == nil else { return false }
        groups[key]?.causes[party, default: 0] += 1
        return groups[key]?.causes[party] == 1
    }

    mutating func decide(_ key: TextKey, _ decider: String, outer: TextKey?) {
        groups[key, default: Group()].decider = decider
        groups[key]?.outer = outer
    }

    /// - Returns: the party that has not failed any more by that.
    mutating func takeBack(_ cause: TextKey, at key: TextKey) -> TextKey? {
        guard let party = groups[key]?.parties.removeValue(forKey: cause), let count = groups[key]?.causes[party] else {
            return nil
        }
        groups[key]?.causes[party] = count > 1 ? count - 1 : nil
        if count > 1 { return nil }
        closed.remove(party)
        return party
    }

    /// - Returns: the group that has lost a member by that.
    mutating func takeBackDecision(at key: TextKey) -> TextKey? {
        guard let outer = groups[key]?.outer else {
            groups[key]?.decider = nil
            return nil
        }
        groups[key]?.decider = nil
        groups[key]?.outer = nil
        return outer
    }

    mutating func remove(_ key: TextKey) {
        if !groups.isEmpty { groups[key] = nil }
        if !closed.isEmpty { closed.remove(key) }
    }

    mutating func keep(_ isKept: (TextKey) -> Bool) {
        if !groups.isEmpty { groups = groups.filter { isKept($0.key) } }
        if !closed.isEmpty { closed = closed.filter(isKept) }
    }
}
