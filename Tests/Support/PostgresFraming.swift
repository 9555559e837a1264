/// Finds where PostgreSQL's messages begin in the bytes that one side sends after the login. A message is a letter, a
/// length of four bytes that includes itself, and the rest.
struct PostgresFraming {
    private var length: [UInt8] = []
    private var rest = 0

    /// Returns the positions in `bytes` at which messages begin; `bytes` must follow those of the previous call.
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
