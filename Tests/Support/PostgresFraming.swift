/// Finds where PostgreSQL's messages begin in one side's bytes, past the login: each is a letter, a length of four bytes that
/// counts itself, and the rest.
struct PostgresFraming {
    private var length: [UInt8] = []
    private var rest = 0

    /// The places in `bytes` at which messages begin; `bytes` follow on those of the call before.
    mutating func starts(in bytes: ArraySlice<UInt8>) -> [Int] {
        var starts: [Int] = []
        var place = bytes.startIndex
        while place < bytes.endIndex {
            if rest > 0 {
                let step = min(rest, bytes.endIndex - place)
                rest -= step
                place += step
                continue
            }
            if length.isEmpty { starts.append(place) }
            length.append(bytes[place])
            place += 1
            guard length.count == 5 else { continue }
            rest = length.dropFirst().reduce(0) { $0 << 8 | Int($1) } - 4
            length = []
        }
        return starts
    }
}
