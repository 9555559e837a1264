import MarketData

/// What the writer stores beside events and the upload's marks.
struct Notes: Sendable {
    /// Past this many gaps in memory, further ones are merged.
    static let maximumGaps = 1000
    /// Past this many incidents in memory, further ones are left to the log.
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
    /// What the ledger upstream says, to be agreed with; `nil` when it wasn't asked.
    private(set) var ledger: [EventStream: Int64]?
    /// What is to be written down of the uploads.
    var line = LineChange()

    var isEmpty: Bool {
        gaps.isEmpty && incidents.isEmpty && lettersByRow.isEmpty && fills.isEmpty && settled.isEmpty
            && reconciled.isEmpty && drops.isEmpty && ledger == nil && line.isEmpty
    }

    /// The dead letters, in the order of their rows.
    var letters: [DeadLetter] {
        lettersByRow.values.sorted { ($0.stream.rawValue, $0.sequence) < ($1.stream.rawValue, $1.sequence) }
    }

    /// Takes what one database's ledger says, beside what another's says of other streams.
    mutating func agree(with ledger: [EventStream: Int64]) {
        self.ledger = (self.ledger ?? [:]).merging(ledger) { _, newer in newer }
    }

    mutating func add(_ change: GapChange) { gaps.add(change, limit: Self.maximumGaps) }

    /// Takes dead letters; of two of one row the later.
    mutating func add(_ letters: [DeadLetter]) {
        for letter in letters {
            lettersByRow[LetterKey(stream: letter.stream, sequence: letter.sequence)] = letter
        }
    }
}
