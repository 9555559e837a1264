package import MarketData
package import Store

/// Gaps and what became of them: `/api/gaps`, `edgetick gaps`.
package struct GapsJSON: WireObject {
    /// A span of the events' own time in which some may have been missed.
    package struct Gap: WireObject {
        package var id: Int64
        package var state: GapState
        package var detail: String?
        package var connection: String
        package var cause: MarketData.Gap.Cause
        package var from_ms: Int64
        package var to_ms: Int64?
        package var is_uncertain: Bool
        package var events: [EventKind]
        package var symbol_count: Int
        package var symbols: [String]
        package var filled_bars: Int
        package var recorded_ms: Int64

        package static let meanings = [
            "state":
                "open: not filled yet; filled: what the REST aggregates have is in the buffer; empty: nothing was traded; "
                + "unfillable: the aggregates don't have it",
            "detail": "Why, in words",
            "to_ms": "null while events are missed",
            "is_uncertain": "Whether the clock was wrong meanwhile, so that the ends may be off",
            "events": "The kinds missed",
            "symbol_count": "0 means all",
            "symbols": "The first hundred in the API, all on the command line",
            "filled_bars": "Bars that filled it",
            "recorded_ms": "When it was noticed",
        ]

        init(_ record: GapRecord, symbolLimit: Int) {
            id = record.id
            state = record.state
            detail = record.detail
            connection = record.gap.connection
            cause = record.gap.cause
            from_ms = record.gap.from
            to_ms = record.gap.to
            is_uncertain = record.gap.isUncertain
            events = record.gap.events
            symbol_count = record.gap.symbols.count
            symbols = record.gap.symbols.prefix(symbolLimit).map(\.description)
            filled_bars = record.rows
            recorded_ms = record.recorded
        }
    }

    package var total: Int64
    package var gaps: [Gap]

    package static let meanings = ["total": "All that are recorded", "gaps": "Newest first"]

    /// - Parameter symbolLimit: the most symbols that one gap names; the count is always there.
    package init(_ records: [GapRecord], total: Int64, symbolLimit: Int = .max) {
        self.total = total
        gaps = records.sorted { $0.id > $1.id }.map { Gap($0, symbolLimit: symbolLimit) }
    }
}

/// Rows that upstream refused: `/api/dead-letters`, `edgetick dead-letters list`.
package struct DeadLettersJSON: WireObject {
    /// One row.
    package struct Letter: WireObject {
        package var letter: String
        package var stream: EventStream
        package var sequence: Int64
        package var symbol: String?
        package var sqlstate: String
        package var reason: String
        package var row: String
        package var refused_ms: Int64

        package static let meanings = [
            "letter": "What dead-letters retry and discard call it: bars:4711",
            "sequence": "The row's number in its stream",
            "reason": "The database's words",
            "row": "The row as a JSON text",
        ]

        init(_ letter: DeadLetter) {
            self.letter = letter.name
            stream = letter.stream
            sequence = letter.sequence
            symbol = letter.event?.symbol.description
            sqlstate = letter.sqlState
            reason = letter.reason
            row = letter.row
            refused_ms = letter.time
        }
    }

    package var total: Int64
    package var dead_letters: [Letter]

    package static let meanings = ["total": "All that are kept", "dead_letters": "Newest first"]

    package init(_ letters: [DeadLetter], total: Int64) {
        self.total = total
        dead_letters = letters.map(Letter.init)
    }
}
