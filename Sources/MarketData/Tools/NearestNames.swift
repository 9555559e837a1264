/// Finds the names that a mistyped one may stand for.
public enum NearestNames {
    /// Returns the candidates nearest to a name, best first: those equal except for case, then by ``distance(_:_:)``,
    /// then by name. A candidate counts when few letters differ for the name's length, or when one begins with the
    /// other.
    ///
    /// - Parameters:
    ///   - name: What was written.
    ///   - candidates: The names that exist.
    ///   - limit: The most names to return.
    public static func nearest(to name: String, among candidates: some Sequence<String>, limit: Int = 3) -> [String] {
        let wanted = name.lowercased()
        let tolerated = max(2, wanted.count * 2 / 5)
        var found: [(distance: Int, name: String)] = []
        for candidate in Set(candidates) {
            let other = candidate.lowercased()
            let isPrefix = min(wanted.count, other.count) >= 3 && (other.hasPrefix(wanted) || wanted.hasPrefix(other))
            guard isPrefix || abs(other.count - wanted.count) <= tolerated else { continue }
            let distance = distance(wanted, other)
            guard distance < max(wanted.count, other.count), isPrefix || distance <= tolerated else { continue }
            found.append((distance, candidate))
        }
        found.sort { ($0.distance, $0.name) < ($1.distance, $1.name) }
        return found.prefix(limit).map(\.name)
    }

    /// Returns how many letters must be inserted, deleted, replaced or swapped with their neighbour to turn one text
    /// into the other (the optimal string alignment distance).
    public static func distance(_ left: String, _ right: String) -> Int {
        let left = Array(left)
        let right = Array(right)
        var beforeLast: [Int] = []
        var last = Array(0...right.count)
        for row in 1..<(left.count + 1) {
            var current = [row]
            current.reserveCapacity(right.count + 1)
            for column in 1..<(right.count + 1) {
                let same = left[row - 1] == right[column - 1]
                var best = min(last[column] + 1, current[column - 1] + 1, last[column - 1] + (same ? 0 : 1))
                if row > 1, column > 1, left[row - 1] == right[column - 2], left[row - 2] == right[column - 1] {
                    best = min(best, beforeLast[column - 2] + 1)
                }
                current.append(best)
            }
            beforeLast = last
            last = current
        }
        return last[right.count]
    }
}
