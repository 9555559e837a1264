import MarketData

extension Health.Check {
    /// How many symbols a trouble names.
    private static let named = 10

    /// Whether what is collected is what the settings name.
    static func symbols(_ snapshot: CollectorSnapshot) -> Self {
        let placement = snapshot.placement
        var troubles: [Health.Trouble] = []
        if !placement.unplaced.isEmpty {
            let names = placement.unplaced.prefix(named).map(\.description).joined(separator: ", ")
            let more = placement.unplaced.count - named
            troubles.append(
                .init(
                    level: .degraded,
                    text: "\(placement.unplaced.count) of \(placement.wanted) symbols have no room on any connection "
                        + "and are not collected: \(names)" + (more > 0 ? " and \(more) more" : "")
                        + "; raise a CAPACITY, enable another connection, or name fewer symbols"))
        }
        return Self("symbols", ok: "what is collected is what the settings name", troubles: troubles)
    }
}
