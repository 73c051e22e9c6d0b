/// A container on the way from the outermost value to what is decoded or encoded: a link of a list that leads outwards.
///
/// A `codingPath` is an array, which would be copied for each element of each container, and nobody reads it unless there
/// is an error.
final class CodingRoute {
    /// A step into a container.
    enum Step {
        case key(any CodingKey)
        case position(Int)
    }

    private let outer: CodingRoute?
    /// How the container is reached from the outer one.
    private let step: Step?
    /// How many containers there are, this one included.
    let depth: Int
    /// How many elements the container has, once somebody has asked.
    var elementCount: Int?

    init(_ outer: CodingRoute?, _ step: Step?) {
        self.outer = outer
        self.step = step
        depth = (outer?.depth ?? 0) + 1
    }

    /// The keys from the outside in.
    static func path(_ route: CodingRoute?, _ step: Step?) -> [any CodingKey] {
        var path: [any CodingKey] = []
        var (route, step) = (route, step)
        while true {
            switch step {
            case .key(let key)?: path.append(key)
            case .position(let position)?: path.append(PositionKey(position))
            case nil: break
            }
            guard let current = route else { return path.reversed() }
            (route, step) = (current.outer, current.step)
        }
    }
}
