/// The table's own names for columns of bars, if they differ from the usual ones (`BAR_COLUMNS`).
public struct BarColumns: Sendable, Equatable {
    /// The columns that can be named.
    public static var names: [String] { BarField.allCases.map(\.rawValue) }

    /// The table's names, by our names.
    private let named: [String: String]

    /// Every column has its usual name.
    public static let usual = BarColumns(named: [:])

    private init(named: [String: String]) { self.named = named }

    /// Reads `timestamp:time,volume:vol`: our names, each with the table's. `nil` for anything else, and if two columns
    /// would have the same name.
    public init?(_ text: String) {
        var named: [String: String] = [:]
        for item in text.split(separator: ",") {
            let parts = item.split(separator: ":", omittingEmptySubsequences: false).map { part in
                String(part.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
            }
            guard parts.count == 2, BarField(rawValue: parts[0]) != nil, !parts[1].isEmpty, named[parts[0]] == nil
            else { return nil }
            named[parts[0]] = parts[1]
        }
        let all = BarField.allCases.map { named[$0.rawValue] ?? $0.rawValue }
        guard !named.isEmpty, Set(all).count == all.count else { return nil }
        self.named = named
    }

    /// The names that apply to a table with these columns; a column that the table has only under its usual name keeps
    /// it.
    func inForce(among columns: Set<String>) -> BarColumns {
        BarColumns(named: named.filter { columns.contains($0.value) })
    }

    /// Our name for a column of the table. Another column that happens to have one of our names gets a suffix.
    func ours(_ name: String) -> String {
        if let field = named.first(where: { $0.value == name })?.key { return field }
        return named[name] == nil ? name : "\(name) (another)"
    }
}
