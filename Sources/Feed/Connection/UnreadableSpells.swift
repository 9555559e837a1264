import MarketData

/// Decides which events that can't be decoded make one gap: those of a kind that come no further apart than a minute's bars.
///
/// An event costs no gap of its own, and a kind of which one is bad every minute doesn't keep its gap open for ever.
struct UnreadableSpells: Sendable {
    struct Spell: Sendable, Equatable {
        /// Where the events had come to before, in milliseconds since the Unix epoch.
        let from: Int64
        /// Where they had come to after the last that can't be decoded; `nil` until that is known.
        var to: Int64?
        /// Of which symbols.
        var extent = UnreadableEvents.Extent()
        /// Which channels the connection had.
        fileprivate var version: Int
        fileprivate let began: Duration
        fileprivate var last: Duration
    }

    /// A spell is over when no such event has come for so long.
    static let quiet: Duration = .seconds(90)
    /// And after so long in any case: what is missing is not fetched before.
    static let longest: Duration = .seconds(900)

    private var spells: [EventKind: Spell] = [:]
    /// Where the last spell of a kind ended.
    private var ends: [EventKind: Int64] = [:]

    /// Whether no spell is under way.
    var isEmpty: Bool { spells.isEmpty }

    /// Events of a kind came that can't be decoded.
    ///
    /// - Parameter version: of the connection's channels.
    /// - Returns: whether they are of the spell that is under way, and of nothing else than its events so far.
    mutating func goesOn(_ kind: EventKind, _ extent: UnreadableEvents.Extent, version: Int, now: Duration) -> Bool {
        guard let spell = spells[kind], spell.version == version, spell.extent.covers(extent) else { return false }
        spells[kind]?.last = now
        spells[kind]?.to = nil
        return true
    }

    /// Events of a kind came that can't be decoded, which begin a spell or add to one.
    ///
    /// - Parameter from: where the kind's events had come to before.
    /// - Returns: the spell that they are of.
    mutating func came(
        _ kind: EventKind, _ extent: UnreadableEvents.Extent, from: Int64, version: Int, now: Duration
    ) -> Spell {
        var spell =
            spells[kind] ?? Spell(from: max(from, ends[kind] ?? from), version: version, began: now, last: now)
        spell.version = version
        spell.last = now
        spell.to = nil
        for symbol in extent.symbols { spell.extent.add(symbol) }
        if extent.isWhole { spell.extent.add(nil) }
        spells[kind] = spell
        return spell
    }

    /// The events have come to `time`.
    mutating func reached(_ time: Int64) {
        for (kind, spell) in spells where spell.to == nil { spells[kind]?.to = max(time, spell.from) }
    }

    /// Takes out the spells that are over.
    mutating func takeEnded(now: Duration) -> [EventKind: Int64] {
        let over = spells.filter { _, spell in
            spell.to != nil && (now - spell.last >= Self.quiet || now - spell.began >= Self.longest)
        }.compactMapValues(\.to)
        for (kind, to) in over {
            spells[kind] = nil
            ends[kind] = to
        }
        return over
    }
}
