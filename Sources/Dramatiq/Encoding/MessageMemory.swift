/// How much memory messages take.
package enum MessageMemory {
    /// Messages with no more bytes than this when they are decoded are not counted one by one: 16 KiB.
    package static let small = 16 << 10
    /// A larger message doesn't come along with the settlement of another one, so that it is counted as well: 1 MiB. No
    /// more than one for each processor comes along.
    static let largestRelay = 1 << 20
    /// What a decoded message takes for each byte of its text, while its actor is called: the text, and what it becomes.
    /// An `[Int]` of single digits takes up to 9 bytes for each, while the array grows, of which 7 were measured; most other
    /// types take less.
    private static let factor = 12

    /// How much is put aside for a message that is processed.
    package static func cost(decoded: Int, encoded: Int) -> Int {
        let (product, overflow) = decoded.multipliedReportingOverflow(by: factor)
        let (sum, overflows) = product.addingReportingOverflow(encoded)
        return overflow || overflows ? .max : sum
    }
}
