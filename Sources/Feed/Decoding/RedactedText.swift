import MarketData

/// Renders the start of bytes that could not be decoded for a log: short, printable, without secrets.
///
/// Two things are masked: the values of names that contain `params`, `auth`, `key`, `token`, `secret`, `pass`, `bearer`
/// or `credential`, wherever they occur, and long runs of letters and digits that could be credentials themselves.
enum RedactedText {
    /// The maximum number of bytes of the piece that are examined.
    static let maximumBytes = 200
    private static let mask = "••••"
    private static let sensitive = ["params", "auth", "key", "token", "secret", "pass", "bearer", "credential"]
        .map { [UInt8]($0.utf8) }
    /// The length from which a run of letters and digits is masked, unless it is all digits.
    private static let opaqueRun = 20

    /// As ``excerpt(of:)``, with `secret` masked too, wherever the piece repeats it.
    static func excerpt(of piece: UnsafeRawBufferPointer, hiding secret: Secret) -> String {
        let value = [UInt8](secret.reveal().utf8)
        // More than is shown: a secret that the excerpt's end cuts is seen whole.
        let start = [UInt8](piece.prefix(2 * (maximumBytes + value.count)))
        guard !value.isEmpty, start.firstRange(of: value) != nil else { return excerpt(of: piece) }
        // A run that is masked for its length.
        let opaque = [UInt8](repeating: UInt8(ascii: "x"), count: max(opaqueRun, value.count))
        var shown: [UInt8] = []
        var rest = start[...]
        while let match = rest.firstRange(of: value) {
            shown += rest[..<match.lowerBound]
            shown += opaque
            rest = rest[match.upperBound...]
        }
        shown += rest
        return shown.withUnsafeBytes { excerpt(of: $0) }
    }

    /// Returns the start of the piece, with an ellipsis in place of the rest.
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
            let end = bytes[place...].firstIndex { !isWord($0) } ?? bytes.count
            let word = bytes[place..<end]
            // A run that the excerpt cuts is judged by more of it than is shown.
            var whole = end
            if end == bytes.count {
                while whole < piece.count, whole - place < opaqueRun, isWord(piece[whole]) { whole += 1 }
            }
            output += isOpaque(piece[place..<whole]) ? mask : String(decoding: word, as: UTF8.self)
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
        // Setting this bit turns capitals into small letters.
        let text = word.map { $0 | 0x20 }
        return sensitive.contains { name in text.indices.contains { text[$0...].starts(with: name) } }
    }

    /// Whether a run is long and not just digits. The feed's own words are shorter.
    private static func isOpaque(_ word: some Collection<UInt8>) -> Bool {
        word.count >= opaqueRun && word.contains { $0 < UInt8(ascii: "0") || $0 > UInt8(ascii: "9") }
    }

    /// Returns where the value begins of the name that ends before `place`: after a colon or equals sign, at the second
    /// quote if there is neither, or after the space of `Bearer …`. Returns `nil` if no value follows.
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

    /// Returns where the value that begins at `start` ends: a plain string at its closing quote, bare text at the next
    /// delimiter, anything else (nested, escaped) at the end of the excerpt.
    private static func valueEnd(_ bytes: [UInt8], _ start: Int) -> Int {
        guard start < bytes.count else { return start }
        switch bytes[start] {
        case UInt8(ascii: "\""):
            var place = start + 1
            while place < bytes.count {
                if bytes[place] == UInt8(ascii: "\"") { return place + 1 }
                place += bytes[place] == UInt8(ascii: "\\") ? 2 : 1
            }
            return bytes.count
        case UInt8(ascii: "["), UInt8(ascii: "{"), UInt8(ascii: "\\"):
            return bytes.count
        default:
            return bytes[start...].firstIndex { ",}]&\"".utf8.contains($0) } ?? bytes.count
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
