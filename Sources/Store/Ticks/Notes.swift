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
    var settled: [SettledLetter] = []
    var reconciled: [ReconciledDay] = []
    var drops = DropTally()
    /// What the ledger upstream says, to be adopted; `nil` if it wasn't asked.
    private(set) var ledger: [EventStream: Int64]?
    /// What has to be recorded about the uploads.
    var line = LineChange()

    var isEmpty: Bool {
        gaps.isEmpty && incidents.isEmpty && lettersByRow.isEmpty && fills.isEmpty && settled.isEmpty
            && reconciled.isEmpty && drops.isEmpty && ledger == nil && line.isEmpty
    }

    /// The dead letters, in the order of their rows.
    var letters: [DeadLetter] {
        lettersByRow.values.sorted { ($0.stream.rawValue, $0.sequence) < ($1.stream.rawValue, $1.sequence) }
    }

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
}
