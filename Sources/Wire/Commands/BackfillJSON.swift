package import Store

/// The result of backfilling a span: `edgetick backfill --from … --json`.
package struct BackfillJSON: WireObject {
    package var added: Int
    package var present: Int
    package var unreadable: Int

    package static let meanings = [
        "added": "Bars that were missing", "present": "Bars that were already there",
        "unreadable": "Bars of the REST server that can't be read, and were left out",
    ]

    package init(added: Int, present: Int, unreadable: Int) {
        self.added = added
        self.present = present
        self.unreadable = unreadable
    }
}

/// The result of filling gaps: `edgetick backfill --json`.
package struct BackfilledGapsJSON: WireObject {
    package var gaps: [String: Int]

    package static let meanings = ["gaps": "How many are in each state now"]

    package init(_ counts: [GapState: Int]) {
        gaps = GapState.byName { counts[$0] ?? 0 }
    }
}
