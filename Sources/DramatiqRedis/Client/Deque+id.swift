import DequeModule

extension Deque {
    /// Where the element of an id is, among elements whose ids grow.
    func firstIndex(ofID id: UInt64, _ elementID: (Element) -> UInt64) -> Int? {
        var (low, high) = (0, count)
        while low < high {
            let middle = (low + high) / 2
            if elementID(self[middle]) < id { low = middle + 1 } else { high = middle }
        }
        return low < count && elementID(self[low]) == id ? low : nil
    }
}
