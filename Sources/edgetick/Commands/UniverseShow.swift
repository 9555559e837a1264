import ArgumentParser
import MarketData
import Store
import Universe
import Wire

/// Shows one group and its members, or a stock and its groups.
struct UniverseShow: ConfiguredCommand {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Show a group with its members, or a stock's sector and the groups it is in.",
        discussion: """
            Examples: edgetick universe show SPY
                      edgetick universe show AAPL --stock --json
            """.unwrapped)

    @OptionGroup var options: SettingsOptions
    @Argument(help: "A group's name, or a symbol.") var name: String
    @Option(help: "The group's type, where several groups have the name.") var type: GroupType?
    @Flag(help: "Treat the name as a stock's symbol.") var stock = false
    @Flag(help: "Print JSON.") var json = false

    func validate() throws {
        if stock { try refuse(["--type": type != nil], with: "--stock") }
    }

    func run(_ settings: Settings) async throws {
        let mirror = try settings.openMirror(.readOnly)
        if stock {
            guard let answer = try await settings.stock(name, mirror) else {
                throw CommandFailure(
                    .badData, "no group of \(settings.universe.environment.rawValue) has the stock \"\(name)\"")
            }
            return show(answer)
        }
        do {
            show(try mirror.group(named: name, type: type, settings))
        } catch let failure as CommandFailure {
            // A name that no group has may well be a stock's.
            guard type == nil, let answer = try await settings.stock(name, mirror) else { throw failure }
            show(answer)
        }
    }

    private func show(_ group: MirrorContents.Group) {
        let record = group.record
        if json { return print(WireJSON.text(of: GroupDetailJSON(group))) }
        var head = ["\(record.identity.name)  \(record.identity.type)  \(record.identity.environment)"]
        if let description = record.description { head.append(description) }
        let source = group.imported.map {
            ", made from \($0.source) (\($0.format)) at \(WallClock.text(milliseconds: $0.importedAt))"
        }
        head.append(
            "\(record.members.count.counted("member")), \(group.origin.rawValue)\(source ?? ""), "
                + "updated \(record.updatedAt.map(WallClock.text(milliseconds:)) ?? "never")")
        let hasWeights = record.members.contains { $0.weight != nil }
        let table = TextTable(
            hasWeights ? ["SYMBOL", .right("WEIGHT %")] : ["SYMBOL"],
            record.members.map { hasWeights ? [$0.symbol, Self.text($0.weight)] : [$0.symbol] })
        printNow(head.map { $0.escapingControls + "\n" }.joined() + "\n" + table.shown)
    }

    private func show(_ answer: StockJSON) {
        if json { return print(WireJSON.text(of: answer)) }
        let isInSector = answer.sector != StockClassification.unknown.sector
        let place = isInSector ? "\(answer.sector), \(answer.industry)" : "in no sector"
        let head = "\(answer.symbol)  \(place)".escapingControls
        let etfs = answer.etfs.map { (name: $0.name, type: GroupType.etf, weight: $0.weight) }
        let others = answer.groups.map { (name: $0.name, type: $0.type, weight: $0.weight) }
        let groups = others.filter { $0.type == .universe } + etfs + others.filter { $0.type != .universe }
        let table = TextTable(
            ["GROUP", "TYPE", .right("WEIGHT %")], groups.map { [$0.name, $0.type.rawValue, Self.text($0.weight)] })
        printNow(head + "\n\n" + table.shown)
    }

    private static func text(_ weight: Double?) -> String { weight.map { "\($0)" } ?? "-" }
}

extension Settings {
    /// What the mirror knows about a stock; `nil` if no group has it.
    fileprivate func stock(_ name: String, _ mirror: UniverseMirror) async throws -> StockJSON? {
        let symbol = Symbol(spelled: name)?.description ?? name
        let found = try await relationshipCache(mirror).relations(of: symbol)
        return found.isKnown ? StockJSON(symbol, found) : nil
    }
}
