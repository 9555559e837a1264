import MarketData

/// What was dropped and what happened to the file, until a commit stores it. Reads no clock.
struct CarriedLosses {
    /// Drops that follow one another within this time share one row per symbol.
    static let episodeGap: Duration = .seconds(600)

    var drops = DropTally()
    var incidents: [Incident] = []
    /// The gaps of a file that was given up; the next file takes them over.
    var gaps: [Gap] = []
    private var episode: (number: Int64, lastDrop: MonotonicTime)?

    var isEmpty: Bool { drops.isEmpty && incidents.isEmpty && gaps.isEmpty }

    /// Forgets everything: it is in the file, or in the log because no file takes it.
    mutating func areStored() {
        drops = DropTally()
        incidents = []
        gaps = []
    }

    /// Returns the number of the current episode of drops, or starts a new one at `wall`, in microseconds since the
    /// Unix epoch.
    mutating func episode(now: MonotonicTime, wall: Int64) -> Int64 {
        var number = wall
        if let episode, now.since(episode.lastDrop) < Self.episodeGap { number = episode.number }
        episode = (number, now)
        return number
    }
}

extension Incident {
    /// A bad file was renamed while a collector ran, and a fresh one with the same identifier was started.
    static let setAside = "set aside"
    /// A bad file was renamed at startup, and a fresh one was started.
    static let setAsideAtStart = "set aside at the start"
    /// A file that had been used had no bytes, or no rows because its log was gone.
    static let foundEmpty = "found empty"
    /// The file was made from what could be read in a damaged one.
    static let repaired = "repaired"
    /// After these, rows that the file had are no longer in it.
    static let losses = [setAside, setAsideAtStart, foundEmpty, repaired]
}
