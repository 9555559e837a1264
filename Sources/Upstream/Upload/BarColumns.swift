/// What a table of bars calls the columns that it names otherwise (`BAR_COLUMNS`).
public struct BarColumns: Sendable, Equatable {
    /// The columns that can be named.
    public static var names: [String] { BarField.allCases.map(\.rawValue) }

    /// The table's names, by ours.
    private let named: [String: String]

    /// Every column has its usual name.
    public static let usual = BarColumns(named: [:])

    private init(named: [String: String]) { self.named = named }

    /// Reads `timestamp:time,volume:vol`: our names, each with the table's. `nil` for anything else, and where two would
    /// have one name.
    public init?(_ text: String) {
        var named: [String: String] = [:]
        for item in text.split(separator: ",") {
            let parts = item.split(separator: ":", omittingEmptySubsequences: false).map { part in
                String(part.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
            }
            guard parts.count == 2, BarField(rawValue: parts[0]) != nil, !parts[1].isEmpty, named[parts[0]] == nil
            else {
                return nil
            }
            named[parts[0]] = parts[1]
        }
        let all = BarField.allCases.map { named[$0.rawValue] ?? $0.rawValue }
        guard !named.isEmpty, Set(all).count == all.count else { return nil }
        self.named = named
    }

    /// The names that count in a table with these columns: one that has the usual column alone keeps it.
    func inForce(among columns: Set<String>) -> BarColumns {
        BarColumns(named: named.filter { columns.contains($0.value) })
    }

    /// Our name for a column of the table; a column that has a name of ours by chance gets another.
    func ours(_ name: String) -> String {
        if let field = named.first(where: { $0.value == name })?.key { return field }
        return named[name] == nil ? name : "\(name) (another)"
    }
}
