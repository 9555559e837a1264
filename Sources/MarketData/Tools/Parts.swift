extension RandomAccessCollection where Index == Int {
    /// Returns the elements in parts of at most `size`, in order.
    public func parts(of size: Int) -> [SubSequence] {
        stride(from: startIndex, to: endIndex, by: size).map { self[$0..<Swift.min($0 + size, endIndex)] }
    }
}
