import Synchronization

/// Contents that look like workflows to a disk: text of a size, each another.
final class SampleContent: Sendable {
    private let content: [UInt8]
    private let next = Atomic(0)

    init(size: Int) {
        let line = Array(#"{"__type__":"message","queue_name":"default","actor_name":"resize","args":["a.png"]},"#.utf8)
        content = (0..<size).map { line[$0 % line.count] }
    }

    /// The next content, with its number in the first eight bytes, as the loop in C does it.
    func make() -> [UInt8] {
        var content = content
        let number = next.add(1, ordering: .relaxed).oldValue
        withUnsafeBytes(of: number) { content.replaceSubrange(0..<8, with: $0) }
        return content
    }
}
