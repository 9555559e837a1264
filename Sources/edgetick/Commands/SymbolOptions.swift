import ArgumentParser
import MarketData
import Store
import Universe

/// Which symbols a command is about.
struct SymbolOptions: ParsableArguments {
    @Option(help: "Symbols, separated by commas, in any usual spelling.") var symbols: String?
    @Option(help: "A universe key: the symbols of one group, or of several joined by colons.") var universe: String?

    func validate() throws {
        guard let symbols else { return }
        let list = SymbolList(symbols)
        guard !list.symbols.isEmpty, !list.isWildcard, list.refused.isEmpty else {
            throw ValidationError("--symbols: allowed: symbols separated by commas, such as AAPL,BRK.B")
        }
    }

    /// The symbols; `nil` where none are named.
    func chosen(_ settings: Settings) async throws -> Set<Symbol>? {
        var chosen = symbols.map { Set(SymbolList($0).symbols) }
        if universe != nil { chosen = (chosen ?? []).union(try await Self.members(of: universe, settings)) }
        return chosen
    }

    /// The symbols that a universe key stands for; none where there is no key.
    static func members(of universe: String?, _ settings: Settings) async throws -> [Symbol] {
        guard let universe else { return [] }
        let mirror = try UniverseMirror.open(directory: settings.dataDirectory, access: .readOnly)
        let resolution = try await settings.relationshipCache(mirror).resolution(of: universe)
        for warning in resolution.warnings { printError("edgetick: warning: \(warning.escapingControls)") }
        return resolution.symbols
    }
}

/// Which days a command is about.
struct DayOptions: ParsableArguments {
    @Option(help: "One day of the New York calendar, such as 2026-11-24.") var date: String?
    @Option(help: "The first of several days.") var from: String?
    @Option(help: "The last of several days; today when not given.") var to: String?

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

    /// The days; today where none is named, and `nil` for a span that ends before it begins.
    func chosen(today: TradingDay) -> ClosedRange<TradingDay>? {
        let first = (date ?? from).flatMap { TradingDay($0) } ?? today
        let last = (date ?? to).flatMap { TradingDay($0) } ?? today
        return first <= last ? first...last : nil
    }
}
