import MarketData

/// What was given up and what befell the file, until a commit stores it. Reads no clock.
struct CarriedLosses {
    /// Drops that follow one another within this time share a row a symbol.
    static let episodeGap: Duration = .seconds(600)

    private(set) var drops = DropTally()
    private(set) var incidents: [Incident] = []
    /// Those of a file that was given up, which the next one takes over.
    private(set) var gaps: [Gap] = []
    private var episode: (number: Int64, lastDrop: MonotonicTime)?

    var isEmpty: Bool { drops.isEmpty && incidents.isEmpty && gaps.isEmpty }

    mutating func add(_ more: DropTally) { drops.add(more) }

    mutating func add(_ batch: EventBatch, _ reason: DropReason) { drops.add(batch, reason) }

    mutating func addUnknown(_ stream: EventStream, _ reason: DropReason, sequences: ClosedRange<Int64>) {
        drops.addUnknown(stream, reason, sequences: sequences)
    }

    mutating func add(_ more: [Incident]) { incidents += more }

    mutating func add(_ unfilled: UnfilledGaps) { gaps += unfilled.gaps }

    mutating func add(_ lost: LostFile) {
        drops.add(lost.drops)
        add(lost.gaps)
    }

    /// The drops are in the file, or counted where no file takes them.
    mutating func dropsAreStored() { drops = DropTally() }

    /// Everything is in the file, or in the log where no file takes it.
    mutating func areStored() {
        drops = DropTally()
        incidents = []
        gaps = []
    }

    /// The number of the running episode of drops, or of a new one, which begins at `wall`, in microseconds since the
    /// Unix epoch.
    mutating func episode(now: MonotonicTime, wall: Int64) -> Int64 {
        var number = wall
        if let episode, now.since(episode.lastDrop) < Self.episodeGap { number = episode.number }
        episode = (number, now)
        return number
    }
}

extension Incident {
    /// A bad file was renamed, and a fresh one was started.
    static let setAside = "set aside"
    /// A file that had been used had no bytes.
    static let foundEmpty = "found empty"
}
