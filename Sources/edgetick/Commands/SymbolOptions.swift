import ArgumentParser
import MarketData
import Store
import Universe

/// The symbols that a command works on.
struct SymbolOptions: ParsableArguments {
    @Argument(help: ArgumentHelp("Symbols, in any usual spelling.", valueName: "symbol")) var names: [String] = []
    @Option(help: "The same, separated by commas.") var symbols: String?
    @Option(help: "A universe key: the symbols of one group, or of several joined by colons.") var universe: String?

    /// The symbols given individually.
    private var list: SymbolList { SymbolList((names + [symbols ?? ""]).joined(separator: ",")) }

    func validate() throws {
        let list = list
        // A name that contains spaces is one misspelt name here, not a list.
        let misspelt = names.first { !$0.contains(",") && Symbol(spelled: $0) == nil }
        if let refused = misspelt ?? list.refused.first {
            throw ValidationError(
                "\"\(refused.escapingControls)\" is not a symbol; "
                    + (TradingDay(refused) == nil
                        ? "write AAPL or BRK.B" : "a day follows its option, such as --from \(refused)"))
        }
        guard !list.isWildcard, symbols == nil || !list.symbols.isEmpty else {
            throw ValidationError("--symbols: allowed: symbols separated by commas, such as AAPL,BRK.B")
        }
    }

    var areGiven: Bool { !names.isEmpty || symbols != nil || universe != nil }

    /// The choice in canonical form, with the universe's key rather than its symbols; `nil` if nothing was chosen.
    var wish: String? {
        guard areGiven else { return nil }
        let names = Set(list.symbols).sorted().map(\.description)
        return (names + (universe.map { ["universe \($0)"] } ?? [])).joined(separator: ",")
    }

    /// Returns the symbols in the order given, without duplicates; `nil` if none are given.
    ///
    /// - Parameter warns: whether to print the warnings about a universe.
    func chosen(_ settings: Settings, warns: Bool = true) async throws -> [Symbol]? {
        guard areGiven else { return nil }
        var all = list.symbols
        if let universe { all += try await settings.resolution(of: universe, warns: warns).symbols }
        var seen: Set<Symbol> = []
        return all.filter { seen.insert($0).inserted }
    }
}

extension Settings {
    /// Resolves a universe key with what the mirror has, and prints the warnings unless told otherwise.
    func resolution(of key: String, warns: Bool = true) async throws -> Resolution {
        let mirror = try openMirror(.readOnly)
        let resolution = try await relationshipCache(mirror).resolution(of: key)
        if warns { for warning in resolution.warnings { printWarning(warning) } }
        return resolution
    }
}

/// The days that a command works on.
struct DayOptions: ParsableArguments {
    @Option(help: "One day of the New York calendar, such as 2026-11-24.") var date: String?
    @Option(help: "The first of several days.") var from: String?
    @Option(help: "The last of several days; default: today.") var to: String?

    func validate() throws {
        for (name, text) in [("--date", date), ("--from", from), ("--to", to)] {
            guard let text, TradingDay(text) == nil else { continue }
            throw ValidationError("\(name) \"\(text.escapingControls)\" is no date such as 2026-11-24")
        }
        if date != nil, from != nil || to != nil {
            throw ValidationError("--date is one day: give it, or --from and --to")
        }
        if to != nil, from == nil { throw ValidationError("--to needs --from") }
        let days = chosen(today: TradingDay(at: WallClock.milliseconds()))
        if days == nil { throw ValidationError("--from is later than \(to == nil ? "today" : "--to")") }
    }

    /// The chosen days: today if none is named, `nil` if the span ends before it begins.
    func chosen(today: TradingDay) -> ClosedRange<TradingDay>? {
        let first = (date ?? from).flatMap { TradingDay($0) } ?? today
        let last = (date ?? to).flatMap { TradingDay($0) } ?? today
        return first <= last ? first...last : nil
    }
}
