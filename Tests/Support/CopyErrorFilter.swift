/// Makes a PostgreSQL server answer a COPY as Citus does: with XX000 instead of the code for a row that violates a
/// constraint. Parses the server's messages as they pass (PostgreSQL manual, 55.7).
struct CopyErrorFilter {
    private static let hidden = ["23505", "23502", "23514"].map { Array("C\($0)".utf8) }

    private var held: [UInt8] = []
    private var hasBegun = false
    private var isCopying = false

    /// Takes bytes that the server sent and returns the complete messages to pass on to the client.
    mutating func pass(_ bytes: ArraySlice<UInt8>) -> [UInt8] {
        held += bytes
        var passed: [UInt8] = []
        // The answer to a request for TLS is one byte.
        if !hasBegun, let first = held.first {
            hasBegun = true
            if first == UInt8(ascii: "N") || first == UInt8(ascii: "S") { passed.append(held.removeFirst()) }
        }
        var start = 0
        while held.count - start >= 5 {
            let length = held[start + 1...start + 4].reduce(0) { $0 << 8 | Int($1) }
            let end = start + 1 + length
            guard held.count >= end else { break }
            passed += message(held[start..<end])
            start = end
        }
        held.removeFirst(start)
        return passed
    }

    private mutating func message(_ message: ArraySlice<UInt8>) -> [UInt8] {
        var message = Array(message)
        switch message[0] {
        case UInt8(ascii: "G"): isCopying = true
        case UInt8(ascii: "C"), UInt8(ascii: "Z"): isCopying = false
        case UInt8(ascii: "E") where isCopying:
            // Each field is a letter and a text that ends with 0.
            for start in 5..<max(5, message.count - 6) where Self.hidden.contains(Array(message[start..<start + 6])) {
                guard message[start - 1] == 0 else { continue }
                message.replaceSubrange(start + 1..<start + 6, with: "XX000".utf8)
            }
        default: break
        }
        return message
    }
}
