public import MarketData

/// Reads symbols as people and other programs write them. Pure.
///
/// The feed writes share classes with a dot (`BRK.B`) and distinguishes upper and lower case (`BACpL` is a preferred
/// share). What is certainly another spelling of such a symbol is read as the feed writes it, with a remark. What
/// merely looks unusual is kept as written, with a remark.
enum SymbolSpelling: Equatable {
    case symbol(Symbol, remark: String?)
    /// Something that a feed of US stocks doesn't have: a share listed abroad, an index, a currency, an option.
    case elsewhere(String)
    case refused(String)

    init(reading text: String) { self = SymbolSpelling.read(SymbolSpelling.visible(text)) }

    private static func read(_ written: String) -> SymbolSpelling {
        guard !written.isEmpty else { return .refused("there is no symbol") }
        if let what = madeByASpreadsheet(written) {
            return .refused(
                "\(quoted(written)) is \(what), not a symbol: spreadsheets turn some tickers into dates or numbers; "
                    + "format the column as text")
        }
        var spelling = written
        if spelling.contains(where: \.isLowercase), !spelling.contains(where: \.isUppercase) {
            spelling = spelling.uppercased()
        }
        switch plain(spelling) {
        case .elsewhere(let what):
            return .elsewhere("\(quoted(written)) is \(what), which a feed of US stocks doesn't have")
        case .symbol(let read): spelling = read
        case nil: break
        }
        // No symbol holds a character that separates columns in other files: with one, the row was not split. Nor does
        // it hold those of formulas, web pages and settings.
        guard let symbol = Symbol(spelling), spelling.first.map({ $0.isLetter || $0.isNumber }) ?? false,
            !spelling.contains(where: { ";|=<>%&?@'".contains($0) })
        else { return .refused(fault(in: spelling, written: written)) }
        if spelling != written { return .symbol(symbol, remark: "\(quoted(written)) is read as \(spelling)") }
        if isUsual(spelling) { return .symbol(symbol, remark: nil) }
        return .symbol(
            symbol, remark: "\(quoted(written)) is an unusual spelling, kept as written; the feed may refuse it")
    }

    /// Whether a cell says that it is empty.
    static func isMissing(_ text: String) -> Bool {
        // NAN is a fund's ticker; other programs write `nan` for a missing value.
        text == "nan" || ["", "-", "--", "—", "–", "n/a", "none", "null"].contains(text.lowercased())
            || formulaFaults.contains(text.uppercased())
    }

    /// The values that spreadsheets write when a formula has none.
    static let formulaFaults: Set = ["#N/A", "#NAME?", "#REF!", "#VALUE!", "#DIV/0!", "#NULL!", "#NUM!"]

    /// Text without blanks around it and without invisible characters, with single blanks between words.
    static func visible(_ text: String) -> String {
        let isPlain = text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F }
        guard !isPlain else { return text }
        let seen = text.unicodeScalars.filter { $0.properties.generalCategory != .format }
        return String(String.UnicodeScalarView(seen)).split(whereSeparator: \.isWhitespace).joined(separator: " ")
    }

    /// Whether the text is a symbol as the feed writes its own: capitals, a lower-case letter for preferred shares,
    /// rights or when-issued, dots and a share class.
    static func isUsual(_ text: String) -> Bool {
        var rest = text.utf8[...]
        func take(_ limit: Int, _ accept: (UInt8) -> Bool) -> Int {
            let taken = rest.prefix(limit).prefix(while: accept)
            rest = rest.dropFirst(taken.count)
            return taken.count
        }
        func isCapital(_ byte: UInt8) -> Bool { (0x41...0x5A).contains(byte) }
        guard take(6, isCapital) > 0 else { return false }
        if take(1, { "prw".utf8.contains($0) }) > 0 { _ = take(2, isCapital) }
        for _ in 0..<2 where rest.first == UInt8(ascii: ".") {
            rest = rest.dropFirst()
            guard take(3, isCapital) > 0 else { return false }
        }
        return rest.isEmpty
    }

    /// Whether a text is written like the first word of a sentence: a capital, then small letters.
    static func isBegunWord(_ text: String) -> Bool {
        text.first?.isUppercase == true && text.count > 1 && text.dropFirst().allSatisfy { ("a"..."z").contains($0) }
    }

    private static func fault(in spelling: String, written: String) -> String {
        if spelling.utf8.count > Symbol.maximumLength {
            return "\(quoted(written)) is not a symbol: it is longer than \(Symbol.maximumLength) characters"
        }
        return
            "\(quoted(written)) is not a symbol: symbols begin with a letter or digit and contain no spaces, quotes, "
            + "non-ASCII letters or any of , ; | * = < > % & ? @"
    }

    /// What a spreadsheet has made of a text: `1-Mar`, `Mar-26`, `2026-03-01`, `1.00E+05`; `nil` when it is neither a
    /// date nor a number with a point.
    private static func madeByASpreadsheet(_ text: String) -> String? {
        guard text.first?.isLetter == true || text.first?.isNumber == true, text.contains(where: \.isNumber) else {
            return nil
        }
        if text.first?.isNumber == true, text.contains("."), Double(text) != nil { return "a number" }
        let parts = text.split(omittingEmptySubsequences: false) { "-/. ".contains($0) }
        func isNumber(_ part: Substring) -> Bool { (1...4).contains(part.count) && part.allSatisfy(\.isNumber) }
        func isMonth(_ part: Substring) -> Bool { months.contains(part.lowercased()) }
        let isDate =
            switch parts.count {
            case 2: isNumber(parts[0]) && isMonth(parts[1]) || isMonth(parts[0]) && isNumber(parts[1])
            case 3: isNumber(parts[0]) && (isNumber(parts[1]) || isMonth(parts[1])) && isNumber(parts[2])
            default: false
            }
        return isDate ? "a date" : nil
    }

    private static let months: Set = [
        "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "sept", "oct", "nov", "dec",
    ]
}

// MARK: - Other programs' spellings

extension SymbolSpelling {
    private enum Reading {
        case symbol(String)
        case elsewhere(String)
    }

    /// What another program's spelling means; `nil` when it is not a known one.
    private static func plain(_ text: String) -> Reading? {
        // No root is this long: a broker's `BACPRL`.
        if (6...8).contains(text.count), text.dropLast().hasSuffix("PR"), text.allSatisfy(isCapital) {
            return .symbol("\(text.dropLast(3))p\(text.suffix(1))")
        }
        if let share = undotted[text] { return .symbol(share) }
        guard !isUsual(text) || text.contains(".") else { return nil }
        if let colon = text.firstIndex(of: ":") {
            let venue = text[..<colon].uppercased().filter { $0 != " " && $0 != "_" }
            let rest = visible(String(text[text.index(after: colon)...]))
            guard !rest.isEmpty, !venue.isEmpty else { return nil }
            if let kind = assetPrefixes[venue] { return .elsewhere(kind) }
            if exchanges.contains(venue) { return followed(rest) }
            // Some write the exchange after the symbol: `AAPL:US`, `RY:CN`.
            if exchanges.contains(rest) { return followed(String(text[..<colon])) }
            return .elsewhere(
                foreignCodes.contains(rest) ? "listed abroad (\(rest))" : "listed on \(quoted(venue))")
        }
        if let first = text.first, "$#".contains(first), text.dropFirst().first?.isLetter == true {
            return followed(String(text.dropFirst()).uppercased())
        }
        if text.first == "^" { return .elsewhere("an index") }
        if let rest = withoutChannel(text) { return followed(rest) }
        if text.last == ".", text.dropLast().allSatisfy(isCapital), text.count > 1 {
            return .symbol(String(text.dropLast()))
        }
        if let what = identifier(text) { return .elsewhere(what) }
        if let reading = withExchange(text) { return reading }
        if let reading = withSuffix(text) { return reading }
        // No symbol of the feed is written this way.
        if (2...5).contains(text.count), isBegunWord(text), !isUsual(text) { return .symbol(text.uppercased()) }
        return nil
    }

    /// Reads what remains after a part was removed.
    private static func followed(_ rest: String) -> Reading { plain(rest) ?? .symbol(rest) }

    /// `AM.AAPL` without the channel of a subscription.
    private static func withoutChannel(_ text: String) -> String? {
        guard let channel = FeedChannel(text), let rest = channel.symbol?.description else { return nil }
        // `A.WS` is a warrant of A.
        let shortest = channel.kind.rawValue.count == 1 ? 3 : 2
        guard rest.count >= shortest, !["WS", "WT", "RT", "WI", "UN", "WSA", "WSB", "US"].contains(rest),
            !rest.hasPrefix("PR"), foreignSuffixes[rest] == nil, isUsual(rest)
        else { return nil }
        return rest
    }

    /// Identifiers and contracts that other programs write in place of a symbol.
    private static func identifier(_ text: String) -> String? {
        guard text.contains(where: \.isNumber) else { return nil }
        let root = text.prefix { !" .-/".contains($0) }
        if !root.isEmpty, root.allSatisfy(\.isNumber) {
            // CUSIPs and SEDOLs may consist of digits only.
            return root.count <= 6 ? "listed abroad, where symbols are numbers" : "an identifier"
        }
        let isISIN =
            text.count == 12 && text.prefix(2).allSatisfy(isCapital) && text.last?.isNumber == true
            && text.allSatisfy { isCapital($0) || $0.isNumber }
        if isISIN { return "an identifier" }
        let packed = text.filter { $0 != " " }
        if packed.count >= 16, packed.suffix(8).allSatisfy(\.isNumber), let kind = packed.dropLast(8).last,
            kind == "C" || kind == "P", packed.dropLast(9).suffix(6).allSatisfy(\.isNumber)
        {
            return "an option"
        }
        let letters = text.prefix { isCapital($0) }
        if futures.contains(String(letters.dropLast())), let month = letters.last, "FGHJKMNQUVXZ".contains(month),
            (1...2).contains(text.count - letters.count), text.dropFirst(letters.count).allSatisfy(\.isNumber)
        {
            return "a future"
        }
        // A letter after a digit: CUSIP, SEDOL, ISIN and funds' own numbers, with whatever follows them.
        if let digit = text.firstIndex(where: \.isNumber), text[digit...].contains(where: \.isLetter) {
            return "an identifier or a contract"
        }
        return nil
    }

    /// `NVDA US`, `BRK/B UN Equity`, `GLEN LN`: the exchange is the last word.
    private static func withExchange(_ text: String) -> Reading? {
        var words = text.split(separator: " ")
        if words.count > 2, words.last?.uppercased() == "EQUITY" { words.removeLast() }
        // Only a share class is a word by itself; other words are further symbols.
        guard words.count == 2 || words.count == 3 && words[1].count == 1, let code = words.last.map(String.init) else {
            return nil
        }
        let rest = words.dropLast().joined(separator: " ")
        if usCodes.contains(code) { return followed(rest) }
        return foreignCodes.contains(code) ? .elsewhere("listed abroad (\(code))") : nil
    }

    /// Reads share classes, preferred shares, warrants, units and listings abroad after a separator.
    private static func withSuffix(_ text: String) -> Reading? {
        guard let place = text.firstIndex(where: { "/ -.$^=+".contains($0) }) else { return nil }
        let root = String(text[..<place])
        let separator = text[place]
        let written = text[text.index(after: place)...]
        let share = String(written.filter { !" ./-".contains($0) })
        guard (1...6).contains(root.count), root.allSatisfy(isCapital), share.count <= 6, share.allSatisfy(isCapital)
        else { return nil }
        switch separator {
        case "$", "^": return share.count <= 1 ? .symbol("\(root)p\(share)") : nil
        case "=":
            if share.isEmpty { return .symbol("\(root).U") }
            return ["X", "F"].contains(share) ? .elsewhere(share == "X" ? "a currency" : "a future") : nil
        case "+": return share.isEmpty ? .symbol("\(root).WS") : nil
        default: break
        }
        if share == "PR" || share.hasPrefix("PR") && share.count == 3 {
            return .symbol("\(root)p\(share.dropFirst(2))")
        }
        if "-/".contains(separator), share.hasPrefix("P"), share.count == 2 || share == "P" && separator == "-" {
            return .symbol("\(root)p\(share.dropFirst())")
        }
        switch share {
        // `W` is what exchanges' directories write; no share class has this name.
        case "WS", "WT", "W": return .symbol("\(root).WS")
        case "UN": return .symbol("\(root).U")
        case "RT", "WI": return .symbol("\(root).\(share)")
        default: break
        }
        if share.count == 3, share.hasPrefix("WS") || share.hasPrefix("WT") {
            return .symbol("\(root).WS.\(share.suffix(1))")
        }
        switch separator {
        case ".":
            if ["US", "O", "OQ", "N"].contains(share) { return .symbol(root) }
            if let place = foreignSuffixes[share] { return .elsewhere("listed abroad (\(place))") }
            if foreignCodes.contains(share) { return .elsewhere("listed abroad (\(share))") }
            return nil
        case _ where "-/".contains(separator) && ["USD", "USDT", "USDC", "EUR", "BTC"].contains(share):
            return .elsewhere("a crypto-currency")
        case "-": return share.count == 1 ? .symbol("\(root).\(share)") : nil
        case "/": return (1...2).contains(share.count) ? .symbol("\(root).\(share)") : nil
        default: return share.count == 1 && written.count == 1 ? .symbol("\(root).\(share)") : nil
        }
    }

    /// Share classes that are often written without a separator, and that no ticker is spelt like.
    static let undotted = ["BRKA": "BRK.A", "BRKB": "BRK.B"]

    private static func isCapital(_ character: Character) -> Bool { ("A"..."Z").contains(character) }

    /// What a data provider's prefix says about the symbol after it.
    private static let assetPrefixes = [
        "I": "an index", "X": "a crypto-currency", "C": "a currency", "O": "an option", "F": "a future",
    ]

    private static let exchanges: Set = [
        "NASDAQ", "NYSE", "AMEX", "NYSEARCA", "ARCA", "BATS", "CBOE", "NYSEAMERICAN", "NYSEMKT", "OTC", "OTCMKTS",
        "IEX", "XNAS", "XNYS", "XASE", "ARCX", "NSDQ", "NASD", "NAS", "NYS", "US", "NASDAQGS", "NASDAQGM", "NASDAQCM",
        "NMS", "NGM", "NCM", "NYQ", "PCX", "ASE",
    ]

    /// Bloomberg's codes of the exchanges in the United States.
    private static let usCodes: Set = [
        "US", "UN", "UA", "UQ", "UR", "UW", "UP", "UB", "UC", "UD", "UF", "UL", "UM", "UO", "UT", "UV", "UX", "PQ",
    ]

    /// Bloomberg's codes of exchanges elsewhere.
    private static let foreignCodes: Set = [
        "AB", "AR", "AT", "AU", "AV", "BB", "BS", "BZ", "CB", "CF", "CH", "CI", "CN", "CT", "CV", "CG", "CS", "C1",
        "C2", "DC", "DH", "DU", "EY", "FH", "FP", "GA", "GF", "GR", "GS", "GY", "HB", "HK", "IB", "ID", "IJ", "IM",
        "IN", "IS", "IT", "JP", "JT", "KK", "KP", "KQ", "KS", "LI", "LN", "MK", "MM", "NA", "NO", "NZ", "PE", "PL",
        "PM", "PW", "QD", "RM", "RO", "RX", "SE", "SJ", "SM", "SP", "SQ", "SS", "SW", "TB", "TI", "TT", "UH", "VN",
        "VX", "ZU",
    ]

    /// Yahoo's suffixes of exchanges elsewhere.
    private static let foreignSuffixes = [
        "L": "London", "F": "Frankfurt", "TO": "Toronto", "DE": "Xetra", "PA": "Paris", "AS": "Amsterdam",
        "HK": "Hong Kong", "SS": "Shanghai", "SZ": "Shenzhen", "KS": "Seoul", "KQ": "Seoul", "TW": "Taipei",
        "TWO": "Taipei", "AX": "Sydney", "NS": "Mumbai", "BO": "Mumbai", "MI": "Milan", "MC": "Madrid",
        "ST": "Stockholm", "OL": "Oslo", "CO": "Copenhagen", "HE": "Helsinki", "BR": "Brussels", "SW": "Zurich",
        "LS": "Lisbon", "VI": "Vienna", "IR": "Dublin", "SA": "São Paulo", "MX": "Mexico", "JO": "Johannesburg",
        "SI": "Singapore", "JK": "Jakarta", "KL": "Kuala Lumpur", "BK": "Bangkok", "TA": "Tel Aviv", "NE": "Toronto",
        "CN": "Canada", "SR": "Riyadh", "IS": "Istanbul", "WA": "Warsaw",
    ]

    private static let futures: Set = [
        "ES", "NQ", "RTY", "YM", "MES", "MNQ", "MYM", "EMD", "VX", "CL", "GC", "SI", "ZN",
    ]
}

extension Symbol {
    /// Reads a symbol as people write it: lower case, `BRK-B`, `NASDAQ:AAPL` and the other spellings that an import
    /// understands; `nil` when the feed could not send it.
    public init?(spelled text: String) {
        guard case .symbol(let symbol, _) = SymbolSpelling(reading: text) else { return nil }
        self = symbol
    }
}
