package import Store

/// Bars of a span that were asked for: `edgetick backfill --from … --json`.
package struct BackfillJSON: WireObject {
    package var added: Int
    package var present: Int

    package static let meanings = ["added": "Bars that were missing", "present": "Bars that were there"]

    package init(added: Int, present: Int) {
        self.added = added
        self.present = present
    }
}

/// What became of gaps: `edgetick backfill --json`.
package struct BackfilledGapsJSON: WireObject {
    package var gaps: [String: Int]

    package static let meanings = ["gaps": "How many are in each state now"]

    package init(_ counts: [GapState: Int]) {
        gaps = Dictionary(uniqueKeysWithValues: GapState.allCases.map { ($0.rawValue, counts[$0] ?? 0) })
    }
}
