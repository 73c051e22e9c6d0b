import Dramatiq

/// What the id of a group's barrier says about the group, so that every worker knows it without asking: the number of its
/// callbacks and its policy, each after a colon and possibly empty, and `BarrierKey.groupSuffix`.
struct GroupMark: Sendable, Hashable {
    enum Policy: Sendable, Hashable {
        case other(WorkflowFailurePolicy)
        /// How many members may fail.
        case collect(allowed: Int)
    }

    var number: Int?
    var policy: Policy?

    /// - Parameter count: how many members the group has.
    init(_ traits: GroupTraits, count: Int) {
        number = traits.number
        policy = traits.policy.map { policy in
            if case .collect(let minimum) = policy.kind {
                return .collect(allowed: count - min(max(0, minimum), count))
            }
            return .other(policy)
        }
    }

    /// That of a barrier's id; `nil` if it has none.
    init?(_ id: String) {
        guard id.hasByteSuffix(BarrierKey.groupSuffix) else { return nil }
        let parts = id.utf8.dropLast(BarrierKey.groupSuffix.utf8.count).split(
            separator: UInt8(ascii: ":"), omittingEmptySubsequences: false
        ).suffix(2).map { String(decoding: $0, as: UTF8.self) }
        guard parts.count == 2 else { return nil }
        number = Int(parts[0])
        switch TextKey(parts[1]) {
        case "fail_fast": policy = .other(.failFast)
        case "halt": policy = .other(.halt)
        case "proceed": policy = .other(.proceed)
        case let text:
            guard text.text.hasBytePrefix("collect=") else { return }
            policy = Int(String(decoding: text.text.utf8.dropFirst(8), as: UTF8.self)).map {
                .collect(allowed: max(0, $0))
            }
        }
    }

    /// What the id ends with.
    var text: String {
        let word =
            switch policy {
            case nil: ""
            case .collect(let allowed)?: "collect=\(allowed)"
            case .other(let policy)?: policy.jsonValue.stringValue ?? ""
            }
        return ":\(number.map { "\($0)" } ?? ""):\(word)\(BarrierKey.groupSuffix)"
    }
}
