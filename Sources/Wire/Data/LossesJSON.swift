package import Collector
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
        package var filled_ticks: Int
        package var recorded_ms: Int64

        package static let meanings = [
            "state":
                "open: not filled yet; filled: what the REST API has is in the buffer; partial: some of it is, and "
                + "detail says what is missing; empty: nothing was traded; "
                + "unfillable: the REST API doesn't have it, or may not be asked; covered: other boxes of the group "
                + "missed nothing then, and their rows are upstream",
            "detail": "Why, in words",
            "to_ms": "null while events are missed",
            "is_uncertain": "Whether the ends may be off: the clock was wrong, or the file of that time can't be read",
            "events": "The kinds missed",
            "symbol_count": "0 means all",
            "symbols": "The first hundred in the API, all on the command line",
            "filled_bars": "Bars that filled it",
            "filled_ticks": "Trades and quotes that filled it",
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
            filled_ticks = record.ticks
            recorded_ms = record.recorded
        }
    }

    package var total: Int64
    package var is_complete: Bool
    package var gaps: [Gap]

    package static let meanings = [
        "total": "All that are recorded",
        "is_complete": "false if older ones that match are left out, or may be",
        "gaps": "Newest first",
    ]

    /// - Parameters:
    ///   - isComplete: Whether these are certainly all that were asked for, and not only the newest of them.
    ///   - symbolLimit: The maximum number of symbols that one gap lists; the count is always complete.
    package init(_ records: some Sequence<GapRecord>, total: Int64, isComplete: Bool, symbolLimit: Int = .max) {
        self.total = total
        is_complete = isComplete
        gaps = records.sorted { $0.id > $1.id }.map { Gap($0, symbolLimit: symbolLimit) }
    }
}

/// Rows that upstream refused: `/api/dead-letters`, `edgetick dead-letters list`.
package struct DeadLettersJSON: WireObject {
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
            "letter": "Its name for dead-letters retry and discard: bars:4711",
            "sequence": "The row's number in its stream",
            "reason": "The database's message",
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

    /// Dead letters that were refused for the same reason.
    package struct Group: WireObject {
        package var stream: EventStream
        package var sqlstate: String
        package var constraint: String?
        package var count: Int
        package var first_ms: Int64
        package var last_ms: Int64
        package var reason: String

        package static let meanings = [
            "constraint": "The one that the database names; null where it names none",
            "first_ms": "When the first of them was refused", "last_ms": "When the last of them was refused",
            "reason": "The database's message about the last of them",
        ]

        init(_ group: DeadLetterGroup) {
            stream = group.stream
            sqlstate = group.sqlState
            constraint = group.constraint
            count = group.count
            first_ms = group.first
            last_ms = group.last
            reason = group.reason
        }
    }

    package var total: Int64
    package var groups: [Group]
    package var dead_letters: [Letter]

    package static let meanings = [
        "total": "All that are kept", "groups": "All of them by the reason for the refusal, the most recent first",
        "dead_letters": "Newest first",
    ]

    package init(_ letters: [DeadLetter], groups: [DeadLetterGroup], total: Int64) {
        self.total = total
        self.groups = groups.map(Group.init)
        dead_letters = letters.map(Letter.init)
    }
}

/// Selects dead letters: the body of `POST /api/dead-letters/retry` and `/discard`.
package struct DeadLetterChoiceJSON: WireObject {
    package var letters: [String]?
    package var stream: EventStream?
    package var sqlstate: String?
    package var constraint: String?
    package var all: Bool?

    package static let meanings = [
        "letters": "These, by name: bars:4711", "stream": "All of a stream",
        "sqlstate": "With stream: only those refused with it", "constraint": "With sqlstate: only those refused by it",
        "all": "All of them",
    ]

    /// The choice; `nil` if the body selects nothing, or selects in more than one way.
    package var choice: DeadLetterChoice? {
        switch (letters, stream, all ?? false) {
        case (let letters?, nil, false):
            let names = letters.compactMap(DeadLetterChoice.Name.init)
            return names.isEmpty || names.count < letters.count || sqlstate != nil ? nil : .named(names)
        case (nil, let stream?, false):
            guard let sqlstate else { return constraint == nil ? .stream(stream) : nil }
            return .alike(stream, sqlState: sqlstate, constraint: constraint)
        case (nil, nil, true): return sqlstate == nil && constraint == nil ? .all : nil
        default: return nil
        }
    }
}

/// The result of a retry: `POST /api/dead-letters/retry`.
package struct DeadLetterRequeueJSON: WireObject {
    package var requeued_count: Int
    package var already_upstream_count: Int
    package var superseded: [String]
    package var unreadable: [String]
    package var failure: String?

    package static let meanings = [
        "requeued_count": "Rows that are back in the queue; those refused again become dead letters again",
        "already_upstream_count": "Rows that were not put back, because they are upstream",
        "superseded": "Bars that have a newer version; they stay dead letters",
        "unreadable": "Letters whose row can't be read as an event; they stay dead letters",
        "failure": "Why the letters of a second database were left as they are; null when they were not",
    ]

    package init(_ retry: DeadLetterRetry) {
        requeued_count = retry.requeued
        already_upstream_count = retry.stored
        superseded = retry.superseded.map(\.name)
        unreadable = retry.unreadable.map(\.name)
        failure = retry.failure
    }
}

/// Dead letters that were discarded: `POST /api/dead-letters/discard`.
package struct DeadLetterDiscardJSON: WireObject {
    package var discarded_count: Int
    package var waiting_count: Int
    package var rows: [String]
    package var failure: String?

    package static let meanings = [
        "waiting_count": "Rows that still wait for upload: they stay in the queue, and only their letters are gone",
        "rows": "The rows that are gone from the file, as JSON texts",
        "failure": "Why the letters of a second database were left as they are; null when they were not",
    ]

    package init(_ discard: DeadLetterDiscard) {
        discarded_count = discard.letters.count
        waiting_count = discard.waiting
        rows = discard.letters.map(\.row)
        failure = discard.failure
    }
}
