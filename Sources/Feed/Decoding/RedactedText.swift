/// Shows the beginning of bytes that could not be decoded, fit for a log: short, printable, without secrets.
///
/// Masked are the values of names that speak of credentials (`params`, `auth…`, `…key…`, `…token…`, `…secret…`,
/// `…pass…`), wherever they stand, and long runs of letters and digits that could be a credential themselves.
enum RedactedText {
    /// How many bytes of the piece are looked at.
    static let maximumBytes = 200
    private static let mask = "••••"
    private static let sensitive = ["params", "auth", "key", "token", "secret", "pass", "bearer", "credential"]
        .map { [UInt8]($0.utf8) }
    /// Shorter runs of letters and digits are shown.
    private static let opaqueRun = 20

    /// The piece's beginning; an ellipsis in place of the rest.
    static func excerpt(of piece: UnsafeRawBufferPointer) -> String {
        let bytes = [UInt8](piece.prefix(maximumBytes))
        var output = ""
        var place = 0
        while place < bytes.count {
            guard isWord(bytes[place]) else {
                output += printable(bytes[place])
                place += 1
                continue
            }
            var end = place
            while end < bytes.count, isWord(bytes[end]) { end += 1 }
            let word = bytes[place..<end]
            // A run that the excerpt cuts may be longer than what is seen of it.
            if isOpaque(word) {
                output += mask
            } else {
                output += String(decoding: word, as: UTF8.self)
            }
            place = end
            if isSensitive(word), let value = valueStart(bytes, place, after: word) {
                for byte in bytes[place..<value] { output += printable(byte) }
                output += mask
                place = valueEnd(bytes, value)
            }
        }
        return piece.count > bytes.count ? output + "…" : output
    }

    private static func isWord(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"),
            UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "_"), UInt8(ascii: "-"):
            true
        default: false
        }
    }

    private static func isSensitive(_ word: ArraySlice<UInt8>) -> Bool {
        // Sets the bit by which small letters differ from capitals.
        let text = word.map { $0 | 0x20 }
        return sensitive.contains { name in text.indices.contains { text[$0...].starts(with: name) } }
    }

    /// Long, and no plain number: the feed's own words and numbers are shorter.
    private static func isOpaque(_ word: ArraySlice<UInt8>) -> Bool {
        word.count >= opaqueRun && word.contains { $0 < UInt8(ascii: "0") || $0 > UInt8(ascii: "9") }
    }

    /// Where the value of a name begins that ends before `place`: behind a colon or equals sign, at the second quote
    /// where those are missing, behind the space of `Bearer …`; `nil` when no value follows.
    private static func valueStart(_ bytes: [UInt8], _ place: Int, after name: ArraySlice<UInt8>) -> Int? {
        var next = place
        var quotes = 0
        while next < bytes.count {
            switch bytes[next] {
            case UInt8(ascii: "\""), UInt8(ascii: "'"):
                quotes += 1
                if quotes == 2 { return next }
                next += 1
            case 0x20, 0x09, 0x0A, 0x0D, UInt8(ascii: "\\"):
                next += 1
            case UInt8(ascii: ":"), UInt8(ascii: "="):
                next += 1
                while next < bytes.count, JSONScan.isSpace(bytes[next]) { next += 1 }
                return next
            default:
                return next > place && String(decoding: name, as: UTF8.self).lowercased() == "bearer" ? next : nil
            }
        }
        return nil
    }

    /// Where the value ends that begins at `start`: a plain string at its quote, bare text where it stops, anything
    /// else (nested, escaped) with the excerpt.
    private static func valueEnd(_ bytes: [UInt8], _ start: Int) -> Int {
        guard start < bytes.count else { return start }
        var place = start
        switch bytes[start] {
        case UInt8(ascii: "\""):
            place += 1
            while place < bytes.count {
                if bytes[place] == UInt8(ascii: "\"") { return place + 1 }
                place += bytes[place] == UInt8(ascii: "\\") ? 2 : 1
            }
            return bytes.count
        case UInt8(ascii: "["), UInt8(ascii: "{"), UInt8(ascii: "\\"):
            return bytes.count
        default:
            while place < bytes.count {
                switch bytes[place] {
                case UInt8(ascii: ","), UInt8(ascii: "}"), UInt8(ascii: "]"), UInt8(ascii: "&"), UInt8(ascii: "\""):
                    return place
                default: place += 1
                }
            }
            return place
        }
    }

    private static func printable(_ byte: UInt8) -> String {
        switch byte {
        case 0x20..<0x7F: String(Unicode.Scalar(byte))
        case 0x0A: "\\n"
        case 0x0D: "\\r"
        case 0x09: "\\t"
        default: "\\x" + (byte < 16 ? "0" : "") + String(byte, radix: 16)
        }
    }
}
