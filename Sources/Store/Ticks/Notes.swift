import MarketData

/// What the writer stores besides events and the upload's marks.
struct Notes: Sendable {
    /// From this many gaps in memory on, further ones are merged.
    static let maximumGaps = 1000
    /// From this many incidents in memory on, further ones are only logged.
    static let maximumIncidents = 100

    private struct LetterKey: Hashable {
        var stream: EventStream
        var sequence: Int64
    }

    var gaps = GapChange(gaps: [])
    var incidents: [Incident] = []
    private var lettersByRow: [LetterKey: DeadLetter] = [:]
    var fills: [GapFill] = []
    private var settledByRow: [LetterKey: SettledLetter] = [:]
    var reconciled: [ReconciledDay] = []
    var drops = DropTally()
    /// What the ledger upstream says, to be adopted; `nil` if it wasn't asked.
    private(set) var ledger: [EventStream: Int64]?
    /// The streams whose rows a person wants sent again.
    var asked: Set<EventStream> = []
    /// See `UploadMarks.sentAgain`.
    var sentAgain: [EventStream: Int64] = [:]
    /// See `UploadMarks.gone`.
    var gone: [EventStream: Int64] = [:]
    /// Transactions of the upload whose COMMIT comes next.
    var moves: [UploadMove] = []
    /// Earlier identifiers of streams that no longer matter.
    var forgotten: [(id: String, stream: EventStream)] = []

    var isEmpty: Bool {
        gaps.isEmpty && incidents.isEmpty && lettersByRow.isEmpty && fills.isEmpty && settledByRow.isEmpty
            && reconciled.isEmpty && drops.isEmpty && ledger == nil && sentAgain.isEmpty && gone.isEmpty
            && moves.isEmpty && forgotten.isEmpty
    }

    /// The dead letters, in the order of their rows.
    var letters: [DeadLetter] {
        lettersByRow.values.sorted { ($0.stream.rawValue, $0.sequence) < ($1.stream.rawValue, $1.sequence) }
    }

    /// The dead letters that leave the file, in the order of their rows.
    var settled: [SettledLetter] {
        settledByRow.values.sorted { ($0.stream.rawValue, $0.sequence) < ($1.stream.rawValue, $1.sequence) }
    }

    /// Whether storing them may change the number of dead letters.
    var changesLetters: Bool { !lettersByRow.isEmpty || !settledByRow.isEmpty || ledger != nil }

    /// Whether the COMMIT of an upload relies on them: the disk must have them even if other commits aren't synced.
    var precedesUpload: Bool { !lettersByRow.isEmpty || !moves.isEmpty }

    /// Adds what one database's ledger says to what another's says about other streams.
    mutating func agree(with ledger: [EventStream: Int64]) {
        self.ledger = (self.ledger ?? [:]).merging(ledger) { _, newer in newer }
    }

    mutating func add(_ change: GapChange) { gaps.add(change, limit: Self.maximumGaps) }

    /// Adds dead letters; a later letter of the same row replaces an earlier one.
    mutating func add(_ letters: [DeadLetter]) {
        for letter in letters {
            lettersByRow[LetterKey(stream: letter.stream, sequence: letter.sequence)] = letter
        }
    }

    /// Has dead letters leave the file. Of two requests for one letter, which a person may make while nothing can be
    /// written, the first counts.
    mutating func settle(_ letters: [SettledLetter]) {
        for letter in letters {
            let key = LetterKey(stream: letter.stream, sequence: letter.sequence)
            if settledByRow[key] == nil { settledByRow[key] = letter }
        }
    }
}
