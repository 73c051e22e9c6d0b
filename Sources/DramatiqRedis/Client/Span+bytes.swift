extension Span<UInt8> {
    var isOK: Bool { count == 2 && self[0] == UInt8(ascii: "O") && self[1] == UInt8(ascii: "K") }

    /// Whether it is a sign, if any, and digits.
    var isInteger: Bool {
        guard let first = digitsStart else { return false }
        for index in first..<count where self[index] &- UInt8(ascii: "0") > 9 { return false }
        return true
    }

    /// The integer that it says, if it is one that fits.
    var integer: Int? {
        guard let first = digitsStart else { return nil }
        let isNegative = self[0] == UInt8(ascii: "-")
        var number = 0
        for index in first..<count {
            let digit = self[index] &- UInt8(ascii: "0")
            guard digit <= 9 else { return nil }
            let (product, overflow) = number.multipliedReportingOverflow(by: 10)
            let (sum, carry) =
                isNegative
                ? product.subtractingReportingOverflow(Int(digit)) : product.addingReportingOverflow(Int(digit))
            guard !overflow, !carry else { return nil }
            number = sum
        }
        return number
    }

    private var digitsStart: Int? {
        guard !isEmpty else { return nil }
        let start = self[0] == UInt8(ascii: "-") || self[0] == UInt8(ascii: "+") ? 1 : 0
        return start < count ? start : nil
    }
}

extension [UInt8] {
    init(copying span: Span<UInt8>) {
        self = span.withUnsafeBufferPointer { Array($0) }
    }

    mutating func append(contentsOf span: Span<UInt8>) {
        span.withUnsafeBufferPointer { append(contentsOf: $0) }
    }
}

extension String {
    init(copying span: Span<UInt8>) {
        self = span.withUnsafeBufferPointer { String(decoding: $0, as: UTF8.self) }
    }
}
