extension RandomAccessCollection {
    /// Returns the first place whose element meets a condition that all later elements meet too; the end if none does.
    /// Uses binary search.
    @inlinable
    public func partitioningIndex<Failure: Error>(
        where isBehind: (Element) throws(Failure) -> Bool
    ) throws(Failure) -> Index {
        var (low, high) = (startIndex, endIndex)
        while low < high {
            let middle = index(low, offsetBy: distance(from: low, to: high) / 2)
            if try isBehind(self[middle]) { high = middle } else { low = index(after: middle) }
        }
        return low
    }
}
