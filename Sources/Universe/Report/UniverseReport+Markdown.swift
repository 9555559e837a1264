import MarketData

extension UniverseReport {
    /// The report as Markdown.
    public var markdown: String {
        var lines = ["# Universes of \(Self.escaped(environment))", ""]
        let pull =
            source.map { "last pull from \(Self.escaped($0)), \(Duration.seconds(pullAgeSeconds ?? 0).spoken) ago" }
            ?? "never pulled"
        lines.append("\(symbols.counted("symbol")), \(entries.counted("setting")); \(pull).")
        Self.add(
            "By type", ["Type", "Groups", "Local", "Memberships", "Symbols"],
            types.map { [$0.type, "\($0.groups)", "\($0.local)", "\($0.memberships)", "\($0.symbols)"] }, to: &lines)
        Self.add(
            "Universes and ETFs", ["Name", "Type", "Members", "Weights", "Heaviest", "Origin"],
            groups.map { group in
                [
                    group.name, group.type, "\(group.members)",
                    group.weightSum.map { HoldingsImport.rounded($0) + " %" } ?? "",
                    group.heaviest.joined(separator: ", "), group.origin,
                ]
            }, to: &lines)
        Self.add(
            "Shared symbols", ["Smaller", "Larger", "Shared", "Of the smaller"],
            overlaps.map { [$0.first, $0.second, "\($0.shared)", Self.percent($0.share)] }, to: &lines)
        Self.add(
            "Sectors", ["Sector", "Stocks", "Industries"],
            sectors.map { [$0.name, "\($0.stocks)", "\($0.industries)"] }, to: &lines)
        lines += ["", "\(Self.percent(sectorCoverage)) of the stocks have a sector."]
        return lines.joined(separator: "\n") + "\n"
    }

    /// A share as `97.4 %`.
    public static func percent(_ share: Double) -> String { "\((share * 1000).rounded() / 10) %" }

    private static func add(_ title: String, _ columns: [String], _ rows: [[String]], to lines: inout [String]) {
        guard !rows.isEmpty else { return }
        lines += ["", "## \(title)", ""]
        lines.append("| \(columns.joined(separator: " | ")) |")
        lines.append("|\(columns.map { _ in "---" }.joined(separator: "|"))|")
        for row in rows { lines.append("| \(row.map(escaped).joined(separator: " | ")) |") }
    }

    /// Escapes text from elsewhere for a table cell.
    private static func escaped(_ text: String) -> String {
        var result = ""
        for character in text {
            switch character {
            case "|", "\\", "`", "*", "_", "<", ">", "[", "]": result += "\\\(character)"
            case _ where character.isNewline: result += " "
            case _ where character.unicodeScalars.contains(where: \.isSteering): result += "\u{FFFD}"
            default: result.append(character)
            }
        }
        return result
    }
}
