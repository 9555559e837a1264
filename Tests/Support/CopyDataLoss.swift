/// Drops one message of the rows that a client sends with COPY, which no intact line does.
struct CopyDataLoss {
    private var framing = PostgresFraming()
    private var seen = 0
    private var isLost = false

    /// Takes bytes that the client sent after its login and returns those to pass on to the server.
    mutating func pass(_ bytes: ArraySlice<UInt8>) -> [UInt8] {
        var passed: [UInt8] = []
        var place = bytes.startIndex
        for start in framing.starts(in: bytes) + [bytes.endIndex] {
            if !isLost { passed += bytes[place..<start] }
            place = start
            guard start < bytes.endIndex else { break }
            let isData = bytes[start] == UInt8(ascii: "d")
            if isData { seen += 1 }
            isLost = isData && seen == 2
        }
        return passed
    }
}
