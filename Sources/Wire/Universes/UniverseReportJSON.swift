package import Universe

extension UniverseReport: WireObject {
    package static let meanings = [
        "symbols": "How many different symbols there are", "entries": "How many cache entries there are",
        "groups": "The universes and ETFs, the largest first",
        "overlaps": "The pairs of universes and ETFs that share the most symbols",
        "sector_coverage": "The share of the stocks that has a sector, 0 to 1",
        "source": "Where the pulled groups came from; null when there was no pull",
    ]
}

extension UniverseReport.TypeRow: WireObject {
    package static let meanings = [
        "local": "How many of the groups are local", "memberships": "How many the groups have together",
        "symbols": "How many different ones",
    ]
}

extension UniverseReport.GroupRow: WireObject {
    package static let meanings = [
        "weight_sum": "In percent; null where the group has no weights", "heaviest": "The three heaviest members",
    ]
}

extension UniverseReport.Overlap: WireObject {
    package static let meanings = [
        "first": "The smaller one", "second": "The larger one", "shared": "Symbols that are in both",
        "share": "The share of the smaller one, 0 to 1",
    ]
}

extension UniverseReport.SectorRow: WireObject {
    package static let meanings = ["industries": "How many are named among the stocks"]
}
